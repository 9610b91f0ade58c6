//! The cookies of people: what proves that they are signed in, and that they have been in this browser before.

use axum::http::{HeaderMap, HeaderValue, header};
use lobby_domain::time::Span;

/// What proves that somebody is signed in. Over TLS its name keeps any other host or path from setting it (RFC 6265bis, 4.1.3.2).
const SESSION: [&str; 2] = ["lobby_session", "__Host-lobby_session"];
/// What proves that somebody has signed in with this browser.
const BROWSER: [&str; 2] = ["lobby_browser", "__Host-lobby_browser"];
/// For how long a browser is known.
const KNOWN_FOR: Span = Span::from_mins(366 * 24 * 60);

/// The value of a cookie.
pub(super) fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// What proves that somebody is signed in.
pub(super) fn session(headers: &HeaderMap, https: bool) -> Option<&str> {
    get(headers, SESSION[usize::from(https)])
}

/// What proves that somebody has signed in with this browser.
pub(super) fn browser(headers: &HeaderMap, https: bool) -> Option<&str> {
    get(headers, BROWSER[usize::from(https)])
}

/// Lets the browser keep a session: for so long, or until it is closed.
pub(super) fn keep_session(value: &str, keep: Option<Span>, https: bool) -> HeaderValue {
    set(SESSION[usize::from(https)], value, keep, https)
}

/// Lets the browser keep that somebody has signed in with it.
pub(super) fn keep_browser(value: &str, https: bool) -> HeaderValue {
    set(BROWSER[usize::from(https)], value, Some(KNOWN_FOR), https)
}

/// Lets the browser forget a session.
pub(super) fn forget_session(https: bool) -> HeaderValue {
    set(SESSION[usize::from(https)], "", Some(Span::ZERO), https)
}

/// `Lax` and not `Strict`, with which whoever follows a link in a notification would seem to be signed out.
fn set(name: &str, value: &str, keep: Option<Span>, https: bool) -> HeaderValue {
    let keep = keep.map_or_else(String::new, |keep| format!("; Max-Age={}", keep.millis() / 1000));
    let secure = if https { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{keep}{secure}");
    HeaderValue::from_str(&cookie).expect("secrets are made of letters and digits that a cookie may have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_over_tls_under_its_guarded_name_alone() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("lang=en; lobby_session=abc"));
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-lobby_session=def"));
        assert_eq!(get(&headers, "lang"), Some("en"));
        assert_eq!((session(&headers, false), session(&headers, true)), (Some("abc"), Some("def")));
        assert_eq!(browser(&headers, true), None);
    }

    #[test]
    fn no_script_reads_a_session_and_no_plain_connection_carries_one_of_tls() {
        let cookie = keep_session("abc", None, true);
        assert_eq!(cookie, "__Host-lobby_session=abc; Path=/; HttpOnly; SameSite=Lax; Secure");
        let cookie = keep_session("abc", Some(Span::from_mins(1)), false);
        assert_eq!(cookie, "lobby_session=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
        assert_eq!(forget_session(false), "lobby_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}
