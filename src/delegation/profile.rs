//! The full profile of an agent: what an operator says of it, besides what its first exchange recorded.

use std::sync::Arc;

use crate::base::text::is_shown;
use crate::base::words::words;

/// The longest text of a profile, in bytes.
const MAX_BYTES: usize = 256;
/// The longest notes, in bytes.
const MAX_NOTES: usize = 2048;

words! {
    /// How much is recorded of an agent.
    ProfileKind {
        /// What its first exchange recorded.
        Minimal => "minimal",
        /// Also who answers for it.
        Full => "full",
    }
}

/// One line of text about an agent, all of whose characters are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(Arc<str>);

impl Line {
    /// `None` when empty, too long, or not all shown.
    fn parse(text: &str, most: usize) -> Option<Self> {
        let is_line = (1..=most).contains(&text.len()) && text.chars().all(is_shown);
        is_line.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who answers for an agent, and what it is for. An agent that has a profile is of the full one. It decides nothing, and
/// the agent keeps its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who answers for the agent: a user reference, or the name of a team.
    pub owner: Line,
    /// Where the owner can be reached.
    pub contact: Option<Line>,
    /// What the agent is for.
    pub purpose: Option<Line>,
    /// Anything else.
    pub notes: Option<Line>,
}

words! {
    /// The members of a profile.
    Member {
        Owner => "owner",
        Contact => "contact",
        Purpose => "purpose",
        Notes => "notes",
    }
}

impl Member {
    /// The longest text of this member, in bytes.
    pub const fn most(self) -> usize {
        match self {
            Self::Notes => MAX_NOTES,
            Self::Owner | Self::Contact | Self::Purpose => MAX_BYTES,
        }
    }
}

impl Profile {
    /// Reads the text of each member.
    ///
    /// # Errors
    /// The first member that is missing although it has to be there, is too long, or has characters that are not shown.
    pub fn parse<'a>(text: impl Fn(Member) -> Option<&'a str>) -> Result<Self, Member> {
        let line = |member: Member| {
            text(member).map(|text| Line::parse(text, member.most()).ok_or(member)).transpose()
        };
        Ok(Self {
            owner: line(Member::Owner)?.ok_or(Member::Owner)?,
            contact: line(Member::Contact)?,
            purpose: line(Member::Purpose)?,
            notes: line(Member::Notes)?,
        })
    }

    /// The text of a member.
    pub fn get(&self, member: Member) -> Option<&str> {
        let line = match member {
            Member::Owner => Some(&self.owner),
            Member::Contact => self.contact.as_ref(),
            Member::Purpose => self.purpose.as_ref(),
            Member::Notes => self.notes.as_ref(),
        };
        line.map(Line::as_str)
    }

    /// The members that it has.
    pub fn members(&self) -> Vec<Member> {
        Member::ALL.iter().copied().filter(|member| self.get(*member).is_some()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_an_owner_and_lines_that_are_shown() {
        let long = "x".repeat(MAX_BYTES + 1);
        let with = |changed: Member, to: Option<&str>| {
            Profile::parse(|member| if member == changed { to } else { Some("team-travel") }).map(drop)
        };
        for member in Member::ALL {
            let fits = if *member == Member::Notes { Ok(()) } else { Err(*member) };
            assert_eq!(with(*member, Some(&long)), fits, "{member:?}");
            for text in ["", "a\nb", "a\u{202e}b"] {
                assert_eq!(with(*member, Some(text)), Err(*member), "{text:?}");
            }
            let absent = if *member == Member::Owner { Err(Member::Owner) } else { Ok(()) };
            assert_eq!(with(*member, None), absent, "{member:?}");
        }
        assert_eq!(with(Member::Notes, Some(&"x".repeat(MAX_NOTES + 1))), Err(Member::Notes));
    }
}
