use super::*;

const BASE: &str = "subject_token=a.b.c&subject_token_type=urn:ietf:params:oauth:token-type:id_token";

fn parse(rest: &str) -> Result<ExchangeRequest, Cause> {
    let params = Params::parse(format!("{BASE}&{rest}").as_bytes())?;
    read(&params)
}

/// A token is written as its issuer here. The target `c` has a default scope.
fn read(params: &Params) -> Result<ExchangeRequest, Cause> {
    let reading = Reading {
        issuer: &Issuer::new("https://deputy.example"),
        claimed_issuer: params.get("subject_token").filter(|token| token.starts_with("https:")),
        // One target is a URI.
        target_of: &|resource| {
            (resource.as_str() == "https://files.example/").then(|| TargetId::new("https://files.example"))
        },
        default_scope: &|target| (target.as_str() == "c").then(|| Scope::parse("d e")).flatten(),
    };
    ExchangeRequest::parse(params, reading)
}

fn refused(rest: &str) -> Plain {
    match parse(rest).unwrap_err() {
        Cause::Plain(plain) => plain,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_issuer_as_audience_asks_for_a_task_token_and_as_resource_for_nothing() {
    let audience = |rest: &str| parse(&format!("{rest}&scope=a")).unwrap().audience;
    assert_eq!(audience("audience=https://deputy.example"), Audience::Deputy);
    assert_eq!(audience("resource=https://deputy.example"), Audience::DeputyAsResource);
    assert_eq!(
        audience("resource=https://a.example/x?y=1"),
        Audience::Target(TargetId::new("https://a.example/x?y=1"))
    );
    assert_eq!(audience("resource=https://a.example&audience=b"), Audience::Several);
    assert_eq!(audience("resource=https://DEPUTY.example/"), Audience::DeputyAsResource);
}

#[test]
fn a_resource_is_a_uri_in_any_spelling_and_an_audience_a_name_as_written() {
    let audience = |rest: &str| parse(&format!("{rest}&scope=a")).unwrap().audience;
    let target = |name: &str| Audience::Target(TargetId::new(name));
    for spelling in ["https://files.example", "https://files.example/", "HTTPS://Files.example:443"] {
        assert_eq!(audience(&format!("resource={spelling}")), target("https://files.example"), "{spelling}");
        assert_eq!(audience(&format!("audience={spelling}")), target(spelling), "{spelling}");
    }
}

#[test]
fn a_target_that_is_named_twice_is_one_target() {
    let audience = |rest: &str| parse(&format!("{rest}&scope=a")).unwrap().audience;
    let files = Audience::Target(TargetId::new("https://files.example"));
    for twice in [
        "resource=https://files.example&audience=https://files.example",
        "resource=https://files.example/&audience=https://files.example",
        "resource=https://files.example&resource=https://files.example:443/",
        "audience=https://files.example&audience=https://files.example",
    ] {
        assert_eq!(audience(twice), files, "{twice}");
    }
    assert_eq!(audience("audience=https://deputy.example&audience=https://deputy.example"), Audience::Deputy);
    for several in [
        "resource=https://files.example&audience=https://files.example/",
        "resource=https://deputy.example&audience=https://deputy.example",
        "resource=https://files.example&resource=https://files.example/x",
    ] {
        assert_eq!(audience(several), Audience::Several, "{several}");
    }
}

#[test]
fn a_resource_that_is_no_absolute_uri_without_fragment_is_malformed() {
    for resource in [
        "/calendar",
        "calendar",
        "//api.example/x",
        "https://",
        "https://api.example/x%23fragment",
        "https://api.example/x%23",
        "https://api.example/%20x",
        "https://api.example/x%0a",
    ] {
        let refused = refused(&format!("resource={resource}&scope=a"));
        assert_eq!(refused, Plain::TargetMalformed, "{resource}");
    }
    assert!(parse("resource=https://api.example/x&scope=a").is_ok());
}

#[test]
fn scope_is_required_and_its_separators_are_single_spaces() {
    assert_eq!(refused("audience=b"), Plain::ScopeMissing);
    for scope in ["a%20%20b", "a%09b", "%20a", "a%20", "a%22b", "a%5cb", "%c3%a9"] {
        assert_eq!(refused(&format!("audience=b&scope={scope}")), Plain::ScopeMalformed, "{scope}");
    }
    let asked = parse("audience=b&scope=b%20a").unwrap().scope;
    assert_eq!(asked, AskedScope::These(Scope::parse("a b").unwrap()));
}

#[test]
fn scope_may_be_left_out_for_a_target_with_default_scopes_alone() {
    let asked = parse("audience=c").unwrap().scope;
    assert_eq!(asked, AskedScope::Default(Scope::parse("d e").unwrap()));
    assert_eq!(parse("audience=c&scope=a").unwrap().scope, AskedScope::These(Scope::parse("a").unwrap()));
    assert_eq!(refused("audience=c&audience=c2"), Plain::ScopeMissing);
    assert_eq!(refused("audience=https://deputy.example"), Plain::ScopeMissing);
}

#[test]
fn the_issuer_says_whether_a_token_is_deputys_own_and_an_id_token_never_is() {
    let own = "https://deputy.example";
    let subject = |token: &str, kind: &str| {
        let form = format!(
            "subject_token={token}&subject_token_type=urn:ietf:params:oauth:token-type:{kind}&audience=b&scope=a"
        );
        read(&Params::parse(form.as_bytes()).unwrap()).unwrap().subject
    };
    let is_own = |token: &str, kind: &str| matches!(subject(token, kind), SubjectToken::Own);
    assert!(is_own(own, "access_token") && is_own(own, "jwt") && !is_own(own, "id_token"));
    assert!(!is_own("https://op.example", "access_token") && !is_own("https://op.example", "jwt"));
    // A text without an issuer is a malformed token of Deputy's own, or a malformed JWT of anybody's.
    assert!(is_own("opaque", "access_token") && !is_own("opaque", "jwt"));
    let declared = |kind: &str| match subject("https://op.example", kind) {
        SubjectToken::Login(declared) => declared,
        SubjectToken::Own | SubjectToken::None => panic!("{kind}"),
    };
    assert_eq!(declared("id_token"), DeclaredType::IdToken);
    assert_eq!(declared("access_token"), DeclaredType::AccessToken);
    assert_eq!(declared("jwt"), DeclaredType::Jwt);
}

#[test]
fn type_and_token_of_the_actor_come_together() {
    assert_eq!(refused("actor_token=x"), Plain::ActorTokenTypeMissing);
    assert_eq!(
        refused("actor_token=&actor_token_type=urn:ietf:params:oauth:token-type:jwt"),
        Plain::ActorTokenMissing
    );
    assert!(parse("actor_token=&actor_token_type=&audience=b&scope=a").unwrap().actor.is_none());
}
