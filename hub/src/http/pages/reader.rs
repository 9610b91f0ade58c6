//! Who reads a page and how: language, site, and whether the whole document or only its changing part is wanted.

use std::convert::Infallible;

use axum::{
    extract::{self, FromRequestParts, Query, Request},
    http::{HeaderMap, Method, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use lobby_contract::SiteId;
use lobby_dashboards::{Lang, Notice, PhotoMistake, StockMistake};
use lobby_domain::label;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    App, Caller, PageError,
    answer::{refuse, see},
};
use crate::http::{cookies, error::ApiError};

/// The cookie that keeps a reader's language.
pub(super) const COOKIE: &str = "lang";

/// What a request says of its reader.
#[derive(Debug)]
pub(in crate::http) struct Reader {
    /// The language.
    pub lang: Lang,
    /// Whether only `<main>` is wanted.
    pub fragment: bool,
    /// The page's own path and query, without notice.
    pub path: String,
    /// What was asked.
    pub asked: Asked,
    /// Who they are.
    pub caller: Caller,
}

/// The parameters of pages; any other is ignored.
#[derive(Debug, Default, Deserialize)]
pub(in crate::http) struct Asked {
    /// The site.
    pub site: Option<String>,
    /// How far back the charts of a device reach.
    pub range: Option<String>,
    /// Which alerts are listed.
    pub state: Option<String>,
    /// The device that a new silence or maintenance window is about, or that alone gets a label.
    pub device: Option<String>,
    /// Whose changes alone are listed.
    pub actor: Option<String>,
    /// The post whose things alone are listed.
    pub post: Option<String>,
    /// The item that is asked about.
    pub item: Option<String>,
    /// The area whose devices alone are listed.
    pub area: Option<String>,
    /// The place whose items alone are listed.
    pub place: Option<String>,
    /// The sheet of blank labels that is printed.
    pub sheet: Option<String>,
    /// The label that a new item is for.
    pub label: Option<String>,
    /// Where the list goes on.
    pub after: Option<String>,
    /// The time that is asked about, in ms since 1970 UTC.
    pub at: Option<String>,
    /// How many copies of a form are printed.
    pub copies: Option<String>,
    /// On which paper.
    pub paper: Option<String>,
    /// What became of the last action.
    pub notice: Option<String>,
    /// Where to go on after signing in.
    pub back: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or(Caller::Nobody);
        Ok(Self::of(&parts.uri, &parts.headers, &caller))
    }
}

/// How somebody asks who may get another answer than they asked for.
pub(in crate::http) struct Asking {
    is_safe: bool,
    uri: Uri,
    headers: HeaderMap,
}

impl Asking {
    /// `None` if it is no page that is asked for.
    pub(in crate::http) fn of(request: &Request) -> Option<Self> {
        let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_page = accepts.contains("text/html") && !request.uri().path().starts_with("/api/");
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
        is_page.then(|| Self { is_safe, uri: request.uri().clone(), headers: request.headers().clone() })
    }

    /// A page that says why, or the one where they sign in.
    pub(in crate::http) fn refused(&self, app: &App, caller: &Caller, error: ApiError) -> Response {
        let reader = Reader::of(&self.uri, &self.headers, caller);
        let error = match error {
            ApiError::SignIn if self.is_safe => return see(&format!("/sign-in?back={}", encoded(&reader.path))),
            ApiError::SignIn => return see("/sign-in"),
            ApiError::Role(_) | ApiError::Post(_) | ApiError::OtherSite(_) => PageError::Forbidden,
            ApiError::CrossSite => PageError::CrossSite,
            ApiError::NotFound(_) => PageError::NotFound,
            ApiError::Parameter(_) => PageError::BadRequest,
            ApiError::Store(error) => PageError::Store(error),
            error => return error.into_response(),
        };
        refuse(app, &reader, error)
    }
}

/// A text as a parameter of an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The parts of a page's address; one that is not UTF-8 is answered with the page that says so.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        if let Ok(extract::Path(named)) = extract::Path::from_request_parts(parts, app).await {
            return Ok(Self(named));
        }
        let Ok(reader) = Reader::from_request_parts(parts, app).await;
        Err(refuse(app, &reader, PageError::BadRequest))
    }
}

impl Reader {
    /// What a request says of its reader.
    fn of(uri: &Uri, headers: &HeaderMap, caller: &Caller) -> Self {
        let mut asked = Query::try_from_uri(uri).map_or_else(|_| Asked::default(), |Query(asked)| asked);
        // Whoever is limited to a site reads of no other, whatever is asked.
        if let Some(only) = caller.only_site() {
            asked.site = Some(only.to_string());
        }
        let query: Vec<&str> = uri.query().unwrap_or_default().split('&').collect();
        let query: Vec<&str> =
            query.into_iter().filter(|part| !part.is_empty() && !part.starts_with("notice=")).collect();
        let path = uri.path();
        Self {
            lang: language(headers),
            fragment: headers.get("x-fragment").is_some_and(|wanted| wanted == "main"),
            path: if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) },
            asked,
            caller: caller.clone(),
        }
    }

    /// The site asked for.
    pub(super) fn site(&self) -> Result<Option<SiteId>, PageError> {
        let named = self.asked.site.as_deref().filter(|site| !site.is_empty());
        named.map(str::parse).transpose().map_err(|_| PageError::NotFound)
    }

    /// What became of the reader's last action.
    pub fn notice(&self) -> Option<Notice> {
        match self.asked.notice.as_deref()? {
            "saved" => Some(Notice::Saved),
            "told" => Some(Notice::Told),
            "conflict" => Some(Notice::Conflict),
            "step" => Some(Notice::WrongStep),
            "over" => Some(Notice::Over),
            "original" => Some(Notice::NoOriginal),
            "above" => Some(Notice::NotAbove),
            "skips" => Some(Notice::Skips),
            "lacking" => Some(Notice::Lacking),
            "two-people" => Some(Notice::TwoPeople),
            "empty" => Some(Notice::Empty),
            "unexplained" => Some(Notice::Unexplained),
            "own-move" => Some(Notice::OwnMove),
            "no-such-move" => Some(Notice::NoSuchMove),
            "device-taken" => Some(Notice::DeviceTaken),
            "not-theirs" => Some(Notice::NotTheirs),
            "invalid" => Some(Notice::Invalid),
            "test-taken" => Some(Notice::TestTaken),
            "test-refused" => Some(Notice::TestRefused),
            "test-soon" => Some(Notice::TestSoon),
            "resent" => Some(Notice::Resent),
            "not-dead" => Some(Notice::NotDead),
            "no-channel" => Some(Notice::NoChannel),
            name => {
                let of_photo = PhotoMistake::named(name).map(Notice::Photo);
                of_photo.or_else(|| StockMistake::named(name).map(Notice::Stock))
            }
        }
    }

    /// The language as the standards pack names it.
    pub fn words(&self) -> label::Lang {
        match self.lang {
            Lang::Zh => label::Lang::Zh,
            Lang::En => label::Lang::En,
        }
    }
}

/// The language chosen, or the one the browser prefers, or Chinese.
fn language(headers: &HeaderMap) -> Lang {
    let chosen = cookies::get(headers, COOKIE).and_then(Lang::named);
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    chosen.unwrap_or_else(|| preferred(accepted))
}

/// The one of our languages that `Accept-Language` weighs most; the first of equals.
fn preferred(accepted: &str) -> Lang {
    let mut best = (Lang::Zh, 0.0);
    for part in accepted.split(',') {
        let (tag, weight) = part.split_once(";q=").unwrap_or((part, "1"));
        let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
        let weight: f32 = weight.trim().parse().unwrap_or(0.0);
        if let Some(lang) = Lang::named(&primary)
            && weight > best.1
        {
            best = (lang, weight);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Lang::Zh)]
    #[case("de-DE,fr;q=0.9", Lang::Zh)]
    #[case("en-US,en;q=0.9", Lang::En)]
    #[case("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh)]
    #[case("en;q=0.5, ZH-tw;q=0.7", Lang::Zh)]
    #[case("de, en;q=0.7, zh;q=0.3", Lang::En)]
    #[case("en;q=nonsense", Lang::Zh)]
    fn the_language_the_browser_prefers_is_taken_and_chinese_otherwise(#[case] accepted: &str, #[case] lang: Lang) {
        assert_eq!(preferred(accepted), lang);
    }

    proptest! {
        #[test]
        fn any_header_gives_a_language(accepted in ".{0,200}") {
            let lang = preferred(&accepted);
            prop_assert!(lang == Lang::Zh || lang == Lang::En);
        }
    }
}
