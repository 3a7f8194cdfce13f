//! Client certificates, one change to a good one at a time.

use base64::Engine as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, date_time_ymd,
};
use serde_json::json;

use super::*;
use crate::http::client_certificate::ClientCertificate;
use crate::registry::{KeySource, Reach, SubjectName};
use crate::verification::Authorities;

type Change = fn(&mut CertificateParams);

struct Authority {
    params: CertificateParams,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { params, key: KeyPair::generate().unwrap() }
    }

    fn pem(&self) -> String {
        self.params.self_signed(&self.key).unwrap().pem()
    }

    /// A certificate for the common name `assistant`, changed.
    fn issue(&self, change: Change) -> ClientCertificate {
        let mut params = params("assistant");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let issued = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        ClientCertificate::read(&[issued.der().clone()]).unwrap()
    }
}

/// Valid while the clock of the tests shows what it does.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

fn self_signed(name: &str) -> ClientCertificate {
    let made = params(name).self_signed(&KeyPair::generate().unwrap()).unwrap();
    ClientCertificate::read(&[made.der().clone()]).unwrap()
}

/// A world with the clients `tls`, known as `CN=assistant`, and `own`, which has registered this certificate.
fn world(authority: &Authority, own: &ClientCertificate) -> World {
    let mut world = World::new();
    let path = world.files.path().join("own.json");
    let x5c = STANDARD.encode(own.der());
    std::fs::write(&path, json!({"keys": [{"kty": "EC", "x5c": [x5c]}]}).to_string()).unwrap();
    let by_name = ClientAuthentication::Tls(SubjectName::dn("CN=assistant").unwrap());
    let by_key = ClientAuthentication::SelfSignedTls { keys: KeySource::File(path), reach: Reach::default() };
    for client in [client("tls", by_name), client("own", by_key)] {
        world.config.registry.clients.insert(client.id.clone(), Arc::new(client));
    }
    let file = world.files.path().join("authorities.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let mut config = world.config.clone();
    config.tls = Some(crate::config::Tls { client_ca_file: Some(file), ..Default::default() });
    world.verifier.trust(Authorities::read(&config).unwrap());
    world
}

async fn with(
    world: &World,
    certificate: Option<&ClientCertificate>,
    body: &str,
) -> Result<AuthenticatedClient, Plain> {
    let params = Params::parse(body.as_bytes()).unwrap();
    let request = Request {
        authorization: &[],
        params: &params,
        kind: RequestKind::Token,
        proven: &|| Ok(None),
        certificate: Ok(certificate),
    };
    match authenticate(&world.config, &world.verifier, &world.secrets, request, NOW).await {
        Ok(client) => Ok(client),
        Err(NotAuthenticated::Refused { cause: Cause::Plain(cause), .. }) => Err(cause),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_the_authority_with_the_registered_name_is_the_client() {
    let authority = Authority::new("Authority");
    let world = world(&authority, &self_signed("own"));
    let certificate = authority.issue(|_| {});
    let client = with(&world, Some(&certificate), "client_id=tls").await.unwrap();
    assert_eq!((client.client().id.as_str(), client.certificate()), ("tls", Some(certificate.hash())));
    assert!(client.one_time().is_empty() && client.kid().is_none());
    let proven = client.proven(None);
    assert_eq!(proven.and_then(crate::oauth::Confirmation::certificate), Some(certificate.hash()));
}

#[tokio::test]
async fn whatever_is_wrong_with_the_certificate_it_proves_nothing() {
    let authority = Authority::new("Authority");
    let world = world(&authority, &self_signed("own"));
    let changes: [(Change, Plain); 6] = [
        (|params| params.not_after = date_time_ymd(2021, 1, 1), Plain::CertificateExpired),
        (|params| params.not_before = date_time_ymd(2039, 1, 1), Plain::CertificateNotYetValid),
        (|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), Plain::CertificateOfAuthority),
        (
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Plain::CertificatePurpose,
        ),
        (
            |params| {
                params.distinguished_name = DistinguishedName::new();
                params.distinguished_name.push(DnType::CommonName, "assistant2");
            },
            Plain::CertificateSubject,
        ),
        (
            |params| params.distinguished_name.push(DnType::OrganizationName, "Example"),
            Plain::CertificateSubject,
        ),
    ];
    for (change, cause) in changes {
        let found = with(&world, Some(&authority.issue(change)), "client_id=tls").await;
        assert_eq!(found.map(drop).unwrap_err(), cause);
    }
    // An authority of the same name, and none at all.
    for other in [Authority::new("Authority").issue(|_| {}), self_signed("assistant")] {
        let found = with(&world, Some(&other), "client_id=tls").await;
        assert_eq!(found.map(drop).unwrap_err(), Plain::CertificateUntrusted);
    }
    assert_eq!(with(&world, None, "client_id=tls").await.unwrap_err(), Plain::CertificateMissing);
    world.verifier.trust(None);
    let found = with(&world, Some(&authority.issue(|_| {})), "client_id=tls").await;
    assert_eq!(found.map(drop).unwrap_err(), Plain::CertificateUntrusted, "it is looked at anew each time");
}

#[tokio::test]
async fn a_self_signed_certificate_is_the_registered_one_itself() {
    let authority = Authority::new("Authority");
    let own = self_signed("own");
    let world = world(&authority, &own);
    assert_eq!(with(&world, Some(&own), "client_id=own").await.unwrap().client().id.as_str(), "own");
    for other in [self_signed("own"), authority.issue(|_| {})] {
        let found = with(&world, Some(&other), "client_id=own").await;
        assert_eq!(found.map(drop).unwrap_err(), Plain::CertificateUnregistered);
    }
    assert_eq!(with(&world, None, "client_id=own").await.unwrap_err(), Plain::CertificateMissing);
}

#[tokio::test]
async fn the_client_has_to_be_named_and_no_method_takes_the_place_of_another() {
    let authority = Authority::new("Authority");
    let world = world(&authority, &self_signed("own"));
    let certificate = authority.issue(|_| {});
    for body in ["", "client_id=basic", "client_id=nobody"] {
        let found = with(&world, Some(&certificate), body).await;
        assert_eq!(found.map(drop).unwrap_err(), Plain::NoCredentials, "{body}");
    }
    let two = with(&world, Some(&certificate), "client_id=tls&client_secret=x").await;
    assert_eq!(two.map(drop).unwrap_err(), Plain::SeveralMethods);
    let other = with(&world, None, "client_id=tls&client_secret=x").await;
    assert_eq!(other.map(drop).unwrap_err(), Plain::MethodNotRegistered);
}

#[tokio::test]
async fn a_certificate_beside_another_method_is_no_second_one_but_has_to_be_valid() {
    let authority = Authority::new("Authority");
    let world = world(&authority, &self_signed("own"));
    let any = self_signed("anybody");
    let secret = "client_id=post&client_secret=s3cret-of-post";
    let client = with(&world, Some(&any), secret).await.unwrap();
    assert_eq!((client.client().id.as_str(), client.certificate()), ("post", Some(any.hash())));
    let expired = authority.issue(|params| params.not_after = date_time_ymd(2021, 1, 1));
    let found = with(&world, Some(&expired), secret).await;
    assert_eq!(found.map(drop).unwrap_err(), Plain::CertificateExpired);
}
