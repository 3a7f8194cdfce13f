//! Changes of the signing keys. Each is judged on the keys as the transaction finds them, so that none is decided on what
//! another change has overtaken, and a revoked key is never written back.

use super::{At, Outcome};
use crate::audit;
use crate::base::time::Timestamp;
use crate::keys::{self, KeyRow};
use crate::store::entry::{Impossible, Recorded};
use crate::store::keys::SigningKeyRow;
use crate::store::statement::Failure;
use crate::store::transaction::Transaction;

async fn read<S: Transaction>(session: &mut S) -> Result<Vec<KeyRow>, Failure> {
    Ok(session.signing_keys().await?.into_iter().map(KeyRow::from).collect())
}

async fn write<S: Transaction>(
    session: &mut S,
    rows: &[KeyRow],
    effect: &mut audit::Effect,
) -> Result<Outcome, Failure> {
    for row in rows {
        session.put_key(&SigningKeyRow::from(row)).await?;
    }
    effect.is_changed = !rows.is_empty();
    Ok(Ok(()))
}

pub(super) async fn add_first<S: Transaction>(
    session: &mut S,
    new: &KeyRow,
    effect: &mut audit::Effect,
) -> Result<Outcome, Failure> {
    let rows = read(session).await?;
    match rows.iter().all(|row| row.revoked_at.is_some()) {
        true => write(session, std::slice::from_ref(new), effect).await,
        false => Ok(Ok(())),
    }
}

pub(super) async fn rotate<S: Transaction>(
    session: &mut S,
    new: &KeyRow,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let rows = read(session).await?;
    if rows.iter().any(|row| row.revoked_at.is_none() && row.active_from > at.now) {
        return Ok(Err(Recorded::Impossible(Impossible::KeyPrepared)));
    }
    write(session, &keys::rotate(&rows, new.clone()), effect).await
}

pub(super) async fn revoke<S: Transaction>(
    session: &mut S,
    kid: &str,
    spare: &KeyRow,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    match keys::revoke(&read(session).await?, kid, at.now, spare.clone()) {
        None => Ok(Err(Recorded::NotFound)),
        Some(rows) => write(session, &rows, effect).await,
    }
}

pub(super) async fn set_back<S: Transaction>(
    session: &mut S,
    from: Timestamp,
    effect: &mut audit::Effect,
    at: At<'_>,
) -> Result<Outcome, Failure> {
    let rows = keys::set_back(&read(session).await?, from, at.now);
    write(session, &rows, effect).await
}
