//! One connection type for both databases, and where the database is.
//! The scheme of the URL picks the database explicitly; diesel's own guessing would make a file called `postgres:…`.

use super::{postgres, sqlite};
use diesel::{ConnectionError, PgConnection, SqliteConnection};
use std::path::PathBuf;
use std::time::Duration;

/// Longest that a connection waits for others who hold what it needs.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(10);

#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Postgresql(PgConnection),
    Sqlite(SqliteConnection),
}

/// Runs a query on the database's own connection, called `$own`, where diesel knows a statement by its type and writes its
/// text once; on a connection that may be either it writes it anew each time. For what is asked all the time.
macro_rules! on_own {
    ($connection:expr, |$own:ident| $query:expr) => {
        match $connection {
            $crate::store::AnyConnection::Postgresql($own) => $query,
            $crate::store::AnyConnection::Sqlite($own) => $query,
        }
    };
}

pub(super) use on_own;

/// Where the database is, from `database_url`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

/// The whole URL of `PostgreSQL` as stars: a password may stand in several places of it.
impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(***)"),
        }
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        match url.split_once("://") {
            Some(("sqlite", "")) => Err("database_url names no file; write sqlite://data/testarena.db".to_owned()),
            Some(("sqlite", path)) => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", rest)) => {
                require_encoded(rest)?;
                Ok(Self::Postgres(url.to_owned()))
            }
            _ => Err("database_url must begin with sqlite:// or postgres://".to_owned()),
        }
    }
}

/// Else the words of `PostgreSQL`'s client would be about a part of the password, with that part.
fn require_encoded(rest: &str) -> Result<(), String> {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let is_odd =
        |percent: &str| !percent.get(..2).is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if authority.matches('@').count() > 1 || authority.split('%').skip(1).any(is_odd) {
        return Err(
            "database_url: in a user or password \"%\" is written as %25, \"@\" as %40, \":\" as %3A, \"/\" as %2F \
                    and \"?\" as %3F"
                .to_owned(),
        );
    }
    Ok(())
}

impl DatabaseUrl {
    /// Whether several processes may serve from the database.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(super) fn connect(&self) -> Result<AnyConnection, ConnectionError> {
        match self {
            Self::Postgres(url) => postgres::open(url).map(AnyConnection::Postgresql),
            Self::Sqlite(path) => sqlite::open(path).map(AnyConnection::Sqlite),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DatabaseUrl;

    #[test]
    fn a_password_in_the_url_is_never_printed() {
        for url in ["postgres://ada:hunter2@db/x", "postgresql://db/x?user=ada&password=hunter2"] {
            assert_eq!(format!("{:?}", url.parse::<DatabaseUrl>().unwrap()), "Postgres(***)");
        }
        for url in ["postgres://ada:hunter%zz@db/x", "postgres://ada:hunter2%@db/x", "postgres://ada:hun@ter2@db/x"] {
            let words = url.parse::<DatabaseUrl>().unwrap_err();
            assert!(words.contains("%25") && !words.contains("hun"), "{words}");
        }
        assert!("postgres://ada:hunter%40%252@db/x".parse::<DatabaseUrl>().is_ok());
    }
}
