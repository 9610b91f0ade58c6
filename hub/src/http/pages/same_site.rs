//! After an action the site is shown again that was being looked at: whoever works at several would otherwise be led to the first of them
//! by each action that ends on a page of whatever site is chosen.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::Response,
};
use lobby_contract::SiteId;

use super::Caller;

/// Adds the site of the page from which a form was sent to where its answer leads, unless that says one or knows its own.
pub(super) async fn keep(request: Request, next: Next) -> Response {
    let is_form = *request.method() == Method::POST;
    let site = if is_form { looked_at(request.headers()) } else { None };
    let site = site.filter(|site| request.extensions().get::<Caller>().is_some_and(|caller| caller.reaches(site)));
    let mut response = next.run(request).await;
    if let Some(site) = site
        && response.status() == StatusCode::SEE_OTHER
        && let Some(place) = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok())
        && let Some(place) = with_site(place, &site)
        && let Ok(place) = HeaderValue::from_str(&place)
    {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The site that the page says in its address from which a form was sent.
fn looked_at(headers: &HeaderMap) -> Option<SiteId> {
    let page: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    page.query()?.split('&').find_map(|part| part.strip_prefix("site="))?.parse().ok()
}

/// `place` with the site; `None` if it says one, or is no list of ours: a page of one thing is of that thing's site.
fn with_site(place: &str, site: &SiteId) -> Option<String> {
    let (path, query) = place.split_once('?').unwrap_or((place, ""));
    let is_list = path.starts_with('/') && !path[1..].contains('/') && path != "/sign-in";
    if !is_list || query.split('&').any(|part| part.starts_with("site=")) {
        return None;
    }
    Some(if query.is_empty() { format!("{path}?site={site}") } else { format!("{path}?site={site}&{query}") })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_list("/alerts?notice=saved", Some("/alerts?site=hz-02&notice=saved"))]
    #[case::without_anything("/alerts", Some("/alerts?site=hz-02"))]
    #[case::first_page("/?notice=saved", Some("/?site=hz-02&notice=saved"))]
    #[case::says_one("/stock?site=hz-01&notice=saved", None)]
    #[case::one_thing("/t/BX-202611-0001?notice=saved", None)]
    #[case::the_way_in("/sign-in", None)]
    #[case::elsewhere("https://example.com/", None)]
    #[case::elsewhere_without_a_scheme("//example.com", None)]
    fn a_list_gets_the_site_that_was_looked_at(#[case] place: &str, #[case] expected: Option<&str>) {
        assert_eq!(with_site(place, &"hz-02".parse().unwrap()).as_deref(), expected);
    }

    #[rstest]
    #[case(Some("https://hub/alerts?state=open&site=hz-02"), Some("hz-02"))]
    #[case(Some("https://hub/alerts?state=open"), None)]
    #[case(Some("https://hub/alerts?site="), None)]
    #[case(Some("https://hub/alerts?site=%0d%0a"), None)]
    #[case(Some("\u{1}"), None)]
    #[case(None, None)]
    fn the_site_is_the_one_in_the_address_of_the_page(#[case] referer: Option<&str>, #[case] expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        if let Some(referer) = referer.and_then(|referer| HeaderValue::from_bytes(referer.as_bytes()).ok()) {
            headers.insert(header::REFERER, referer);
        }
        assert_eq!(looked_at(&headers).map(|site| site.to_string()).as_deref(), expected);
    }
}
