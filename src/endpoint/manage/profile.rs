//! The full profile of an agent: who answers for it, and what it is for.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::act::record;
use super::{NotDone, answer};
use crate::app::App;
use crate::audit::{AgentProfileEvent, Event};
use crate::delegation::profile::{Member, Profile, ProfileKind};
use crate::http::json;
use crate::oauth::AgentId;
use crate::store::Control;

/// The body of `POST /agents/{id}/profile`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    owner: String,
    contact: Option<String>,
    purpose: Option<String>,
    notes: Option<String>,
}

impl Wanted {
    fn read(&self) -> Result<Profile, NotDone> {
        let profile = Profile::parse(|member| match member {
            Member::Owner => Some(self.owner.as_str()),
            Member::Contact => self.contact.as_deref(),
            Member::Purpose => self.purpose.as_deref(),
            Member::Notes => self.notes.as_deref(),
        });
        profile.map_err(|member| {
            let (name, most) = (member.word(), member.most());
            NotDone::Invalid(format!(
                "`{name}` has to be one line of 1 to {most} bytes, without control characters"
            ))
        })
    }
}

/// `POST /agents/{id}/profile`: from now on the agent is of the full profile. Its identifier, its tokens and its tasks stay
/// as they are.
pub async fn put(
    app: web::Data<App>,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    answer(
        async {
            let profile = json::read::<Wanted>(&request, payload).await?.read()?;
            let agent = AgentId::new(id.as_str());
            let members = profile.members();
            let event =
                Event::AgentProfile(AgentProfileEvent { agent: agent.clone(), members, changed: None });
            let control = Control::SetProfile { agent: agent.clone(), profile: Box::new(profile) };
            let mut done = record(&app, control, event, "agent").await?;
            done.insert("agent".to_owned(), json!(agent));
            done.extend(shown(app.store.find_profile(&agent).await?.as_ref()));
            Ok(Value::Object(done))
        }
        .await,
    )
}

/// The profile as members of what is shown of an agent.
pub(super) fn shown(profile: Option<&Profile>) -> Map<String, Value> {
    let kind = if profile.is_some() { ProfileKind::Full } else { ProfileKind::Minimal };
    let mut shown = Map::from_iter([("profile".to_owned(), json!(kind))]);
    for member in profile.into_iter().flat_map(Profile::members) {
        shown.insert(member.word().to_owned(), json!(profile.and_then(|profile| profile.get(member))));
    }
    shown
}
