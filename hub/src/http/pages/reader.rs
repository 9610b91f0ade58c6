//! Who reads a page and how: language, site, and whether the whole document or only its changing part is wanted.

use std::convert::Infallible;

use axum::{
    extract::{self, FromRequestParts, Query},
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{Lang, Notice};
use lobby_domain::label;
use serde::{Deserialize, de::DeserializeOwned};

use super::{App, Caller, PageError, answer::refuse};

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
    /// The only site that they may read of; all if there is none.
    pub only: Option<SiteId>,
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
}

impl<S: Send + Sync> FromRequestParts<S> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let mut asked = Query::try_from_uri(&parts.uri).map_or_else(|_| Asked::default(), |Query(asked)| asked);
        // Whoever is limited to a site reads of no other, whatever is asked.
        let only = parts.extensions.get().and_then(Caller::only_site).cloned();
        if let Some(only) = &only {
            asked.site = Some(only.to_string());
        }
        let query: Vec<&str> = parts.uri.query().unwrap_or_default().split('&').collect();
        let query: Vec<&str> =
            query.into_iter().filter(|part| !part.is_empty() && !part.starts_with("notice=")).collect();
        let path = parts.uri.path();
        Ok(Self {
            lang: language(&parts.headers),
            fragment: parts.headers.get("x-fragment").is_some_and(|wanted| wanted == "main"),
            path: if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) },
            asked,
            only,
        })
    }
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
    /// The site asked for.
    pub(super) fn site(&self) -> Result<Option<SiteId>, PageError> {
        let named = self.asked.site.as_deref().filter(|site| !site.is_empty());
        named.map(str::parse).transpose().map_err(|_| PageError::NotFound)
    }

    /// Whether they may read of a site.
    pub(super) fn reaches(&self, site: &SiteId) -> bool {
        self.only.as_ref().is_none_or(|only| only == site)
    }

    /// What became of the reader's last action.
    pub fn notice(&self) -> Option<Notice> {
        match self.asked.notice.as_deref()? {
            "saved" => Some(Notice::Saved),
            "conflict" => Some(Notice::Conflict),
            "step" => Some(Notice::WrongStep),
            "over" => Some(Notice::Over),
            "test-taken" => Some(Notice::TestTaken),
            "test-refused" => Some(Notice::TestRefused),
            "test-soon" => Some(Notice::TestSoon),
            _ => None,
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
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let chosen = cookies.find(|(name, _)| *name == COOKIE).and_then(|(_, lang)| Lang::named(lang));
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
