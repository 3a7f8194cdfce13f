//! Users, as the provider names them and as the audit does.

use super::rows::{Key, millis, row};
use super::schema;
use super::statement::{Done, Lock, Rows};
use crate::base::time::Timestamp;
use crate::delegation::record::Subject;
use crate::delegation::stops::StopNumber;
use crate::oauth::Issuer;

row! {
    SubjectRow of subject {
        reference: Key,
        issuer: String,
        upstream: String,
        cutoff: Option<i64>,
        is_stopped: bool,
        stopped: i64,
    }
}

impl From<&Subject> for SubjectRow {
    fn from(subject: &Subject) -> Self {
        Self {
            reference: subject.reference.into(),
            issuer: subject.issuer.as_str().to_owned(),
            upstream: subject.upstream.clone(),
            cutoff: millis(subject.cutoff),
            is_stopped: subject.is_stopped,
            stopped: subject.stopped.get(),
        }
    }
}

impl From<SubjectRow> for Subject {
    fn from(row: SubjectRow) -> Self {
        Self {
            reference: row.reference.into(),
            issuer: Issuer::new(row.issuer),
            upstream: row.upstream,
            cutoff: row.cutoff.map(Timestamp::from_millis),
            is_stopped: row.is_stopped,
            stopped: StopNumber::new(row.stopped),
        }
    }
}

pub(super) trait Subjects {
    async fn subjects(&mut self, references: &[Key], lock: Lock) -> Rows<SubjectRow>;
    /// The users of these tasks. The tasks are read without a lock, as the user of a task never changes.
    async fn subjects_of_tasks(&mut self, tasks: &[Key], lock: Lock) -> Rows<SubjectRow>;
    /// May give more than asked for.
    async fn subjects_named(&mut self, names: &[(String, String)], lock: Lock) -> Rows<SubjectRow>;
    async fn insert_subjects(&mut self, rows: &[SubjectRow]) -> Done;
    /// Notes a stop of a user, or its lift.
    async fn stop_subject(&mut self, subject: Key, cutoff: i64, stands: bool, number: i64) -> Done;
}

/// Implements [`Subjects`] for a session type; `$db` runs its queries.
macro_rules! subjects {
    ($session:ident, $db:ident) => {
        const _: () = {
            use diesel::{
                BoolExpressionMethods as _, ExpressionMethods as _, NullableExpressionMethods as _,
                QueryDsl as _, SelectableHelper as _,
            };
            use $crate::store::rows::Key;
            use $crate::store::schema::{subject, task};
            use $crate::store::statement::{Done, Lock, Rows};
            use $crate::store::subjects::{SubjectRow, Subjects};
            use $crate::store::transaction::Transaction;

            impl Subjects for $session<'_> {
                async fn subjects(&mut self, references: &[Key], lock: Lock) -> Rows<SubjectRow> {
                    Ok($db!(by self, SubjectRow, subject, reference, references, lock))
                }
                async fn subjects_of_tasks(&mut self, tasks: &[Key], lock: Lock) -> Rows<SubjectRow> {
                    if tasks.is_empty() {
                        return Ok(Vec::new());
                    }
                    // A task without a user has none, and a subquery with NULL in it finds what the others name.
                    let theirs =
                        task::table.filter(task::id.eq_any(tasks)).select(task::subject.assume_not_null());
                    let query = subject::table
                        .filter(subject::reference.eq_any(theirs))
                        .order(subject::reference)
                        .select(SubjectRow::as_select());
                    Ok($db!(locked self, query, lock))
                }
                async fn subjects_named(
                    &mut self,
                    names: &[(String, String)],
                    lock: Lock,
                ) -> Rows<SubjectRow> {
                    if !Self::LOCKS || names.len() <= 1 {
                        let mut rows = Vec::with_capacity(names.len());
                        for (issuer, upstream) in names {
                            let query = subject::table
                                .filter(subject::issuer.eq(issuer).and(subject::upstream.eq(upstream)))
                                .select(SubjectRow::as_select());
                            let mut found: Vec<SubjectRow> = $db!(locked self, query, lock);
                            rows.append(&mut found);
                        }
                        return Ok(rows);
                    }
                    let issuers: std::collections::BTreeSet<&str> =
                        names.iter().map(|(issuer, _)| issuer.as_str()).collect();
                    let upstreams: std::collections::BTreeSet<&str> =
                        names.iter().map(|(_, upstream)| upstream.as_str()).collect();
                    let query = subject::table
                        .filter(subject::issuer.eq_any(issuers).and(subject::upstream.eq_any(upstreams)))
                        .order(subject::reference)
                        .select(SubjectRow::as_select());
                    Ok($db!(locked self, query, lock))
                }
                async fn insert_subjects(&mut self, rows: &[SubjectRow]) -> Done {
                    $db!(insert self, subject, rows)
                }
                async fn stop_subject(&mut self, key: Key, cutoff: i64, stands: bool, number: i64) -> Done {
                    $db!(execute self,
                        diesel::update(subject::table.find(key)).set((
                            subject::cutoff.eq(cutoff),
                            subject::is_stopped.eq(stands),
                            subject::stopped.eq(number),
                        ))
                    )?;
                    Ok(())
                }
            }
        };
    };
}
pub(super) use subjects;
