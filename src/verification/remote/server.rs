//! A real HTTP server on loopback for the tests of fetching: it gives the answers that a test sets, and counts requests.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use url::Url;

/// What the server does with a path.
#[derive(Clone)]
pub enum Answer {
    /// 200 with this body and these headers.
    Body(String, Vec<(&'static str, String)>),
    Status(u16),
    /// 302 to there.
    Redirect(String),
    /// A body that never ends, in small pieces, one each so many milliseconds.
    Drip(u64),
    /// A body of zeros of this many bytes, without a length in front.
    Zeros(usize),
    /// No answer for this long.
    Silence(Duration),
}

impl Answer {
    pub fn json(body: impl Into<String>) -> Self {
        Self::Body(body.into(), Vec::new())
    }
}

/// A path and the headers it was asked with.
type Asked = (String, Vec<(String, String)>);

#[derive(Default)]
struct State {
    answers: Mutex<Vec<(String, Answer)>>,
    requests: Mutex<Vec<Asked>>,
}

/// A server that stops when it is dropped.
pub struct Server {
    pub origin: String,
    state: Arc<State>,
    handle: actix_web::dev::ServerHandle,
}

impl Server {
    /// Over plain HTTP.
    pub fn start() -> Self {
        Self::run(None)
    }

    /// Over TLS with a certificate that signs itself; gives its PEM.
    pub fn start_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        (Self::run(Some(config)), made.cert.pem())
    }

    fn run(tls: Option<rustls::ServerConfig>) -> Self {
        let state = Arc::new(State::default());
        let data = Data::from(Arc::clone(&state));
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(answer)))
                .workers(1)
                .disable_signals();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let server = match tls {
            Some(config) => server.bind_rustls_0_23(("127.0.0.1", 0), config).unwrap(),
            None => server.bind(("127.0.0.1", 0)).unwrap(),
        };
        let origin = format!("{scheme}://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        std::thread::spawn(move || actix_web::rt::System::new().block_on(server));
        Self { origin, state, handle }
    }

    pub fn url(&self, path: &str) -> Url {
        format!("{}{path}", self.origin).parse().unwrap()
    }

    pub fn set(&self, path: &str, answer: Answer) {
        let mut answers = self.state.answers.lock().unwrap();
        answers.retain(|(seen, _)| seen != path);
        answers.push((path.to_owned(), answer));
    }

    /// How often `path` was asked for.
    pub fn count(&self, path: &str) -> usize {
        self.state.requests.lock().unwrap().iter().filter(|(seen, _)| seen == path).count()
    }

    /// The headers of the last request.
    pub fn last_headers(&self) -> Vec<(String, String)> {
        self.state.requests.lock().unwrap().last().unwrap().1.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn answer(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let path = request.path().to_owned();
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    state.requests.lock().unwrap().push((path.clone(), headers));
    let answer = state.answers.lock().unwrap().iter().find(|(seen, _)| *seen == path).map(|(_, a)| a.clone());
    match answer {
        None => HttpResponse::NotFound().finish(),
        Some(Answer::Status(status)) => {
            HttpResponse::build(actix_web::http::StatusCode::from_u16(status).unwrap()).finish()
        }
        Some(Answer::Redirect(to)) => HttpResponse::Found().insert_header((header::LOCATION, to)).finish(),
        Some(Answer::Body(body, headers)) => {
            let mut response = HttpResponse::Ok();
            for header in headers {
                response.insert_header(header);
            }
            response.body(body)
        }
        Some(Answer::Zeros(bytes)) => {
            HttpResponse::Ok().streaming(futures_util::stream::unfold(bytes, |left| async move {
                let size = left.min(65_536);
                (size > 0).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size])), left - size))
            }))
        }
        Some(Answer::Drip(millis)) => {
            HttpResponse::Ok().streaming(futures_util::stream::unfold((), move |()| async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
            }))
        }
        Some(Answer::Silence(long)) => {
            tokio::time::sleep(long).await;
            HttpResponse::Ok().finish()
        }
    }
}
