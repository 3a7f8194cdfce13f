//! The yes/no answer that the token carries.

use super::{Bound, Held, Walk};
use crate::base::time::Timestamp;
use crate::decision::permit::{GivenAnswer, KnownAnswer};
use crate::decision::report::{Proposal, Report};
use crate::delegation::answers::{self, Answer, SealedAnswer};
use crate::oauth::{Plain, ScopeToken};
use crate::verification::VerifiedLogin;

impl Walk<'_> {
    /// The answer that the token carries, and those that are kept with the login.
    pub(super) fn answer(
        self,
        held: Held<'_>,
        bound: &Bound<'_>,
        proposal: &Proposal,
        report: &mut Report,
    ) -> Result<(Option<GivenAnswer>, Vec<KnownAnswer>), Plain> {
        let known = match held {
            Held::Login(login, _) => {
                let task_end = bound.root.task().map_or(bound.latest, |task| task.expires_at);
                self.answers_of(login, proposal, task_end, report)
            }
            Held::Token(..) | Held::Nothing(_) => Vec::new(),
        };
        let Some(scope) = &proposal.answer else { return Ok((None, known)) };
        let answer = match held {
            Held::Login(..) => known
                .iter()
                .find(|known| known.target == proposal.target && known.scope == *scope)
                .map(|known| &known.answer),
            Held::Token(_, record) => record.answer.as_ref(),
            Held::Nothing(_) => None,
        };
        let value = self.give(proposal, scope, answer)?;
        Ok((Some(GivenAnswer { scope: scope.clone(), value }), known))
    }

    /// The boolean, if it still holds and the target may have it.
    pub(super) fn give(
        self,
        proposal: &Proposal,
        scope: &ScopeToken,
        answer: Option<&SealedAnswer>,
    ) -> Result<bool, Plain> {
        let rule = proposal.target_config.as_ref().and_then(|target| target.answers.get(scope));
        let value = answer.zip(rule).and_then(|(answer, rule)| answer.at(self.now, rule));
        value.ok_or(Plain::AnswerUnavailable)
    }

    /// For each yes/no scope that is granted, the answer that this login gives, for each target that lists the scope
    /// under `answers`.
    pub(super) fn answers_of(
        self,
        login: &VerifiedLogin,
        proposal: &Proposal,
        task_end: Timestamp,
        report: &mut Report,
    ) -> Vec<KnownAnswer> {
        let mut known = Vec::new();
        for (scope, predicate) in &self.config.registry.predicates {
            if !proposal.scope.contains(scope.as_str()) {
                continue;
            }
            let claim = login.predicate_claims().get(&predicate.claim);
            let direct = login.predicate_claims().get(scope.as_str());
            for target in self.config.registry.targets.values() {
                let Some(rule) = target.answers.get(scope) else { continue };
                let (question, zone) = (&predicate.question, &rule.zone);
                match answers::evaluate(question, claim, direct, zone, self.now, task_end) {
                    Some(answer) => known.push(KnownAnswer {
                        target: target.identifier.clone(),
                        scope: scope.clone(),
                        answer,
                    }),
                    // Only the provider can correct a malformed claim. The report notes that it was malformed, without
                    // its value.
                    None => {
                        let invalid = Answer::Unknown(answers::Unknown::Invalid);
                        report.is_birthdate_malformed |=
                            answers::answer(question, claim, direct, zone, self.now) == invalid;
                    }
                }
            }
        }
        known
    }
}
