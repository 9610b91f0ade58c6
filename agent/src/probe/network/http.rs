//! The last step: does a web page come as its owner serves it? A sign-in page of the house's own network (captive
//! portal) answers in its place, with a redirect or a page of its own. Plain HTTP on purpose: it is what portals touch.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    connect::median,
    target::{Host, Target},
};

/// Most bytes of a body that are looked at; portals like to send much more than the few that are expected.
const MAX_BODY: usize = 64 * 1024;
/// Most bytes of a response's head.
const MAX_HEAD: usize = 16 * 1024;
/// Most header fields of a response.
const MAX_HEADERS: usize = 64;

/// A page whose content is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// Its address, starting with `http://`.
    pub url: String,
    /// What its owner answers.
    pub expect: Expect,
}

/// What the owner of a page answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// Status 204, and thus no body.
    #[serde(rename = "204")]
    NoContent,
    /// Status 200 and this text; white space around it does not matter.
    Body(String),
    /// Status 200 and this text somewhere in the body.
    Contains(String),
}

/// A check, ready to be made.
#[derive(Debug, Clone)]
pub(super) struct Page {
    target: Target,
    /// The `Host` header: the address's host and, if given, port.
    authority: String,
    /// Path and query.
    path: String,
    expect: Expect,
}

/// What all checks together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Web {
    /// At least one page came as expected. With the median time of those.
    Ok(Duration),
    /// None came as expected, and at least one was a redirect or another page.
    Captive,
    /// None came.
    Failed,
}

/// What one check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Expected,
    Captive,
    Failed,
}

impl Page {
    /// The check of a configuration, or what is wrong with its address.
    pub(super) fn new(check: &HttpCheck) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{}` {what}", check.url);
        let uri: Uri = check.url.parse().map_err(|error| wrong(&format!("is not a URL: {error}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("must start with `http://`: sign-in pages do not touch https"));
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(|| wrong("must name a host and no user"))?;
        let host = Host::parse(authority.host()).ok_or_else(|| wrong("has no host name or IP address"))?;
        Ok(Self {
            target: Target { host, port: authority.port_u16().unwrap_or(80) },
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            expect: check.expect.clone(),
        })
    }
}

/// Why a page did not come.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Request(#[from] hyper::http::Error),
    #[error(transparent)]
    Exchange(#[from] hyper::Error),
}

/// Makes all checks at once. Looking the name up and fetching the page take at most `patience` each.
pub(super) async fn check(pages: &[Page], client: Option<&TokioResolver>, patience: Duration) -> Web {
    let verdicts = join_all(pages.iter().map(|page| verdict(page, client, patience))).await;
    let expected = verdicts.iter().filter(|(verdict, _)| *verdict == Verdict::Expected).map(|&(_, after)| after);
    match median(expected.collect()) {
        Some(after) => Web::Ok(after),
        None if verdicts.iter().any(|(verdict, _)| *verdict == Verdict::Captive) => Web::Captive,
        None => Web::Failed,
    }
}

async fn verdict(page: &Page, client: Option<&TokioResolver>, patience: Duration) -> (Verdict, Duration) {
    let Some(address) = page.target.address(client, patience).await else {
        return (Verdict::Failed, Duration::ZERO);
    };
    let asked_at = Instant::now();
    let fetched = timeout(patience, async { fetch(page, TcpStream::connect(address).await?).await }).await;
    let verdict = match fetched {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => {
            tracing::debug!(page = page.authority, %error, "fetching a page");
            Verdict::Failed
        }
        Err(_) => Verdict::Failed,
    };
    (verdict, asked_at.elapsed())
}

/// One request and what its answer means. Nothing outlives this future.
async fn fetch(page: &Page, stream: TcpStream) -> Result<Verdict, FetchError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await?;
    let exchange = async {
        let request = Request::get(&page.path)
            .header(header::HOST, &page.authority)
            .header(header::USER_AGENT, concat!("lobby-agent/", env!("CARGO_PKG_VERSION")))
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::CONNECTION, "close")
            .body(Empty::new())?;
        judge(sender.send_request(request).await?, &page.expect).await
    };
    tokio::pin!(exchange);
    tokio::select! {
        verdict = &mut exchange => verdict,
        // The connection may end first; what it received is still there to be judged, and its error comes out there.
        _ = connection => exchange.await,
    }
}

async fn judge(response: Response<Incoming>, expect: &Expect) -> Result<Verdict, FetchError> {
    let status = response.status();
    if status.is_redirection() && response.headers().contains_key(header::LOCATION)
        || status == StatusCode::NETWORK_AUTHENTICATION_REQUIRED
    {
        return Ok(Verdict::Captive);
    }
    if *expect == Expect::NoContent && status == StatusCode::NO_CONTENT {
        return Ok(Verdict::Expected);
    }
    if status != StatusCode::OK {
        return Ok(Verdict::Failed);
    }
    let said_html = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let body = beginning(response.into_body()).await?;
    let text = String::from_utf8_lossy(&body);
    let expected = match expect {
        Expect::NoContent => false,
        Expect::Body(wanted) => text.trim() == wanted.trim(),
        Expect::Contains(wanted) => text.contains(wanted.as_str()),
    };
    Ok(match expected {
        true => Verdict::Expected,
        false if said_html || text.trim_start().starts_with('<') => Verdict::Captive,
        false => Verdict::Failed,
    })
}

/// The first [`MAX_BODY`] bytes of a body; the rest is left on the wire.
async fn beginning(mut body: Incoming) -> hyper::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(chunk) = frame?.into_data() {
            let room = MAX_BODY - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if bytes.len() == MAX_BODY {
                break;
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::probe::tcp::tests::{LOOPBACK, closed_port};

    const PATIENCE: Duration = Duration::from_millis(400);
    pub(in super::super) const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";
    pub(in super::super) const REDIRECT: &str =
        "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/login\r\nContent-Length: 900\r\n\r\n";
    const MICROSOFT: &str = "Microsoft Connect Test";

    /// A server that answers every request with these bytes and closes (or, if `hold`, does not). Gives its port.
    pub(in super::super) async fn server(bytes: impl Into<Vec<u8>>, hold: bool) -> u16 {
        let bytes = bytes.into();
        let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        #[expect(clippy::disallowed_methods, reason = "a peer of the test, not a task of the product")]
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap_or(0);
                if length == 0 {
                    continue;
                }
                assert!(request[..length].starts_with(b"GET /check?x=1 HTTP/1.1\r\n"));
                // The probe may rightly hang up before it has read everything.
                let _ = stream.write_all(&bytes).await;
                if hold {
                    kept.push(stream);
                }
            }
        });
        port
    }

    fn page(port: u16, expect: Expect) -> Page {
        Page::new(&HttpCheck { url: format!("http://127.0.0.1:{port}/check?x=1"), expect }).unwrap()
    }

    fn ok(body: &str, kind: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    fn body() -> Expect {
        Expect::Body(MICROSOFT.into())
    }

    fn success() -> Expect {
        Expect::Contains("Success".into())
    }

    async fn word(bytes: Vec<u8>, expect: Expect, hold: bool) -> &'static str {
        let port = server(bytes, hold).await;
        match check(&[page(port, expect)], None, PATIENCE).await {
            Web::Ok(after) => {
                assert!(after < PATIENCE);
                "ok"
            }
            Web::Captive => "captive",
            Web::Failed => "failed",
        }
    }

    #[rstest]
    #[case::no_content(NO_CONTENT.into(), Expect::NoContent, "ok")]
    #[case::exact_text(ok(MICROSOFT, "text/plain"), body(), "ok")]
    #[case::text_with_line_end(ok("Microsoft Connect Test\r\n", "text/plain"), body(), "ok")]
    #[case::contained(ok("<HTML><BODY>Success</BODY></HTML>", "text/html"), success(), "ok")]
    #[case::until_close(format!("HTTP/1.0 200 OK\r\n\r\n{MICROSOFT}"), body(), "ok")]
    #[case::redirect(REDIRECT.into(), Expect::NoContent, "captive")]
    #[case::redirect_for_a_text(REDIRECT.into(), body(), "captive")]
    #[case::sign_in_page(ok("<html>sign in</html>", "text/html; charset=gbk"), Expect::NoContent, "captive")]
    #[case::unlabelled_page(ok(" <!DOCTYPE html>", "application/octet-stream"), body(), "captive")]
    #[case::said_by_status("HTTP/1.1 511 Network Authentication Required\r\n\r\n".into(), body(), "captive")]
    #[case::other_text(ok("Microsoft Connect", "text/plain"), body(), "failed")]
    #[case::empty_page(ok("", "text/plain"), Expect::NoContent, "failed")]
    #[case::not_found("HTTP/1.1 404 Not Found\r\n\r\n".into(), Expect::NoContent, "failed")]
    #[case::no_content_where_text_is_due(NO_CONTENT.into(), body(), "failed")]
    #[case::redirect_to_nowhere("HTTP/1.1 302 Found\r\n\r\n".into(), Expect::NoContent, "failed")]
    #[case::garbage("SSH-2.0-OpenSSH_9.6\r\n".into(), Expect::NoContent, "failed")]
    #[case::hang_up(String::new(), Expect::NoContent, "failed")]
    #[case::cut_short("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nMicro".into(), body(), "failed")]
    #[case::large_head(format!("HTTP/1.1 204 No\r\nX: {}\r\n\r\n", "a".repeat(2 * MAX_HEAD)), Expect::NoContent, "failed")]
    #[case::many_headers(format!("HTTP/1.1 204 No\r\n{}\r\n", "X: y\r\n".repeat(80)), Expect::NoContent, "failed")]
    #[tokio::test]
    async fn an_answer_means(#[case] bytes: String, #[case] expect: Expect, #[case] meaning: &str) {
        assert_eq!(word(bytes.into_bytes(), expect, false).await, meaning);
    }

    #[rstest]
    #[case::silence("", Expect::NoContent, "failed")]
    #[case::half_a_head("HTTP/1.1 204 No Con", Expect::NoContent, "failed")]
    #[case::half_a_body("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nMicro", body(), "failed")]
    #[case::a_redirect_needs_no_body(REDIRECT, Expect::NoContent, "captive")]
    #[tokio::test]
    async fn an_answer_that_does_not_end_means(#[case] bytes: &str, #[case] expect: Expect, #[case] meaning: &str) {
        assert_eq!(word(bytes.as_bytes().to_vec(), expect, true).await, meaning);
    }

    #[tokio::test]
    async fn only_the_beginning_of_an_endless_page_is_read() {
        let endless = format!("HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n<html>{}", "a".repeat(4 * MAX_BODY));
        assert_eq!(word(endless.into_bytes(), body(), true).await, "captive");
    }

    #[tokio::test]
    async fn one_page_as_expected_outweighs_redirects_and_a_redirect_outweighs_failures() {
        let redirect = page(server(REDIRECT, false).await, Expect::NoContent);
        let expected = page(server(NO_CONTENT, false).await, Expect::NoContent);
        let refused = page(closed_port().await, Expect::NoContent);
        let all = [redirect.clone(), expected, refused.clone()];
        assert!(matches!(check(&all, None, PATIENCE).await, Web::Ok(_)));
        assert_eq!(check(&[refused.clone(), redirect], None, PATIENCE).await, Web::Captive);
        assert_eq!(check(&[refused], None, PATIENCE).await, Web::Failed);
    }

    #[rstest]
    fn an_address_that_cannot_be_checked_is_refused(
        #[values("", "/path", "https://a.test/", "http:///x", "http://user@a.test/", "http://a b/")] url: &str,
    ) {
        let check = HttpCheck { url: url.into(), expect: Expect::NoContent };
        assert!(Page::new(&check).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn any_bytes_have_a_meaning(
            head in prop::sample::select(vec!["", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 204 N\r\n\r\n"]),
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let meaning = runtime.block_on(word([head.as_bytes(), &tail].concat(), body(), false));
            prop_assert!(["ok", "captive", "failed"].contains(&meaning));
        }
    }
}
