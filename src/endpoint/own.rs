//! Recognises a token of Deputy's own that a client presents: by its record, and by its signature only where no record
//! fits.

use crate::app::{App, Failure};
use crate::base::time::Timestamp;
use crate::config::Config;
use crate::delegation::alone::KnownToken;
use crate::delegation::record::Lineage;
use crate::http::caller::Caller;
use crate::oauth::{ClientId, TokenFault};
use crate::verification::{Compared, Presented, PresentedOwn, VerifiedOwn};

/// The request in which a token is presented.
#[derive(Clone, Copy)]
pub struct Presenting<'a> {
    pub app: &'a App,
    pub config: &'a Config,
    pub caller: &'a Caller,
    pub client: &'a ClientId,
    pub now: Timestamp,
}

/// A token that Deputy issued, with its record.
pub struct Found {
    pub own: VerifiedOwn,
    pub token: KnownToken,
}

impl Presenting<'_> {
    /// The token as it was recorded, or what is wrong with it.
    ///
    /// # Errors
    /// [`Failure`]: the store.
    pub async fn find(self, token: Presented<'_>) -> Result<Result<Found, TokenFault>, Failure> {
        match self.read(token) {
            Ok(presented) => self.look_up(presented).await,
            Err(fault) => Ok(Err(fault)),
        }
    }

    /// The token as one that seems to be Deputy's own.
    ///
    /// # Errors
    /// As [`PresentedOwn::read`].
    pub fn read<'a>(&self, token: Presented<'a>) -> Result<PresentedOwn<'a>, TokenFault> {
        PresentedOwn::read(self.config, &self.app.secrets, token, self.now)
    }

    /// As [`Presenting::find`], for a token that has been read.
    pub async fn look_up(self, presented: PresentedOwn<'_>) -> Result<Result<Found, TokenFault>, Failure> {
        let secrets = &self.app.secrets;
        let Some(token) = self.app.store.find_token(presented.jti()).await? else {
            return self.misfit(&presented).await.map(Err);
        };
        match presented.compare(secrets, &token.delegation().hash) {
            Compared::Same(own) => Ok(Ok(Found { own, token })),
            Compared::Varied => {
                tracing::info!(client.id = %self.client, request.id = %self.caller.request,
                    "a token was presented with its signature changed into the other one that is valid");
                Ok(Err(TokenFault::SignatureChanged))
            }
            Compared::Other(presented) => self.misfit(&presented).await.map(Err),
        }
    }

    /// What is wrong with a token that no record fits. The signature of a JWT is verified for the alarm alone.
    async fn misfit(self, presented: &PresentedOwn<'_>) -> Result<TokenFault, Failure> {
        if !presented.is_jwt() || !self.app.throttle.load().takes_verification(self.client) {
            return Ok(TokenFault::NotRecorded);
        }
        if let Err(fault) = self.verify(presented).await? {
            return Ok(fault);
        }
        self.app.metrics.never_issued.inc();
        tracing::error!(client.id = %self.client, request.id = %self.caller.request, jti = %presented.jti(),
            "a token with a good signature of ours was never recorded: a signing key may be misused");
        Ok(TokenFault::NeverIssued)
    }

    /// Verifies that a token was made here. A key that is not known may have been made by another node.
    pub async fn verify(self, presented: &PresentedOwn<'_>) -> Result<Result<(), TokenFault>, Failure> {
        match presented.verify(&self.app.ring.load()) {
            Err(TokenFault::KeyUnknown) if self.app.may_refresh_keys() => {
                self.app.refresh_keys().await?;
                Ok(presented.verify(&self.app.ring.load()))
            }
            outcome => Ok(outcome),
        }
    }
}

/// The record of a token that was recognised before, read again.
pub async fn find_again(app: &App, own: &VerifiedOwn) -> Result<Option<Lineage>, Failure> {
    let lineage = app.store.find_lineage(own.jti()).await?;
    Ok(lineage.filter(|lineage| own.is_recorded_as(&lineage.delegation.hash)))
}
