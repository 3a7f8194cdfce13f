//! The ID tokens of jobs of GitLab CI/CD.

use crate::jose::Claims;
use crate::oauth::TokenFault;

/// The claims that every token of a job has, and that of a person who signs in with GitLab never. Both are signed by the
/// same issuer with the same keys.
const OF_A_JOB: [&str; 2] = ["project_id", "job_id"];

/// Refuses the ID token of a person.
pub fn check(claims: &Claims) -> Result<(), TokenFault> {
    match OF_A_JOB.iter().all(|&name| claims.get(name).is_some()) {
        true => Ok(()),
        false => Err(TokenFault::NotAWorkload),
    }
}
