//! Statements that stay prepared although diesel would have the database compile them anew each time: an UPDATE, because
//! what it sets may change from call to call, and what has SQL written in it. For a row of many columns and indexes that
//! takes longer than the writing itself.

use super::QueryResult;
use diesel::RunQueryDsl;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// A statement whose text follows from its type alone: nothing in it is boxed or left out where a value is `None`, and
/// SQL that is written in it is the same in all statements of that type, which share what was prepared for the first.
pub struct Prepared<Q>(pub Q);

impl<Q: 'static> QueryId for Prepared<Q> {
    type QueryId = Self;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<Q: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Prepared<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<Q: Query> Query for Prepared<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for Prepared<Q> {}
