//! How typed values stand in a column: words as TEXT, moments as BIGINT milliseconds, ids as BIGINT.
//! Row structs hold the typed values; these wrappers exist only on the way in (`serialize_as`) and out (`deserialize_as`).

use super::jobs::Lane;
use super::tombstones::Wanted;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromStaticSqlRow, Queryable};
use diesel::expression::AsExpression;
use diesel::sql_types::{BigInt, Nullable, Text};
use protocol::api::{CleanupState, Health, LogsState, SyncState, TokenScope, Via};
use protocol::{AuditId, JobId, JobStatus, TaskStatus, Timestamp, TokenId, UserId};

/// Makes the wrapper `$column` of `$value`, which diesel sees as its plain `$raw` of SQL type `$sql`.
macro_rules! column {
    ($column:ident: $value:ty, $raw:ty as $sql:ty, read $read:expr, write $write:expr) => {
        pub struct $column($value);

        impl From<$value> for $column {
            fn from(value: $value) -> Self {
                Self(value)
            }
        }

        impl From<$column> for $value {
            fn from(column: $column) -> Self {
                column.0
            }
        }

        impl<DB: Backend> Queryable<$sql, DB> for $column
        where
            $raw: FromStaticSqlRow<$sql, DB>,
        {
            type Row = $raw;

            fn build(raw: Self::Row) -> deserialize::Result<Self> {
                let read: fn($raw) -> deserialize::Result<$value> = $read;
                read(raw).map(Self)
            }
        }

        impl AsExpression<$sql> for $column {
            type Expression = <$raw as AsExpression<$sql>>::Expression;

            fn as_expression(self) -> Self::Expression {
                let write: fn($value) -> $raw = $write;
                AsExpression::<$sql>::as_expression(write(self.0))
            }
        }
    };
}

macro_rules! word_column {
    ($column:ident: $word:ty) => {
        column!($column: $word, String as Text, read |text| Ok(text.parse()?), write |word| word.as_str().to_owned());
    };
}

word_column!(JobStatusText: JobStatus);
word_column!(TaskStatusText: TaskStatus);
word_column!(SyncStateText: SyncState);
word_column!(LogsStateText: LogsState);
word_column!(CleanupStateText: CleanupState);
word_column!(HealthText: Health);
word_column!(TokenScopeText: TokenScope);
word_column!(ViaText: Via);
word_column!(LaneText: Lane);
word_column!(WantedText: Wanted);
column!(JobKey: JobId, i64 as BigInt, read |id| Ok(JobId(id)), write |id| id.0);
column!(OptionalJobKey: Option<JobId>, Option<i64> as Nullable<BigInt>, read |id| Ok(id.map(JobId)), write |id| id.map(|id| id.0));
column!(UserKey: UserId, i64 as BigInt, read |id| Ok(UserId(id)), write |id| id.0);
column!(TokenKey: TokenId, i64 as BigInt, read |id| Ok(TokenId(id)), write |id| id.0);
column!(AuditKey: AuditId, i64 as BigInt, read |id| Ok(AuditId(id)), write |id| id.0);
column!(Millis: Timestamp, i64 as BigInt, read |ms| Ok(Timestamp(ms)), write |time| time.0);
column!(OptionalMillis: Option<Timestamp>, Option<i64> as Nullable<BigInt>,
    read |ms| Ok(ms.map(Timestamp)), write |time| time.map(|time| time.0));
