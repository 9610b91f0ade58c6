//! An item's month: its statement, what is to be bought for the next one, and both as tables.

mod plan;
mod statement;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use lobby_contract::SiteId;
use lobby_dashboards::{MonthOf, MonthSitePage, Page, SelectOption};
use lobby_domain::{pack::Item, purchase::Month, time::Timestamp};

pub(super) use self::{
    plan::{decide, plan, plan_table},
    statement::{agree, statement, statement_table},
};
use super::{App, Caller, Html, Open, PageError, Path, Reader, Scene, act, answer, stock};
use crate::{
    export::{self, Sheet},
    stock::month::ItemMonth,
};

/// The format that is paper.
const PRINT: &str = "print";

/// Which of the two pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// What was used.
    Statement,
    /// What is to be bought.
    Plan,
}

/// A site, an item and a month.
struct Asked {
    site: SiteId,
    item: String,
    month: Month,
    of: ItemMonth,
}

impl About {
    const fn path(self) -> &'static str {
        match self {
            Self::Statement => "/stock/statement",
            Self::Plan => "/stock/plan",
        }
    }

    /// Where it is to be seen.
    pub(super) fn address(self, month: Month, site: &SiteId, item: &str) -> String {
        format!("{}/{month}?site={site}&item={item}", self.path())
    }
}

impl Asked {
    /// This month, where the site is.
    fn present(&self, now: Timestamp) -> Month {
        self.of.present(now)
    }
}

/// What is asked for; the page that asks for more if that is not all.
fn asked(app: &App, reader: &Reader, about: About, month: &str) -> Result<Result<Asked, String>, PageError> {
    let nothing = Open::default();
    let (month, now) = (month.parse::<Month>().map_err(|_| PageError::NotFound)?, app.clock.now());
    let chosen = Scene::with(app, reader, reader.site()?, &nothing, |scene| Ok(scene.chosen().cloned()))?;
    let choose = |sites: bool| {
        let path = format!("{}/{month}", about.path());
        let page = Scene::with(app, reader, chosen.clone(), &nothing, |scene| {
            let sites = if sites { scene.site_choices() } else { Vec::new() };
            Ok(MonthSitePage { chrome: scene.chrome(Page::Stock), path, is_empty: sites.is_empty(), sites })
        })?;
        page.html(reader.fragment)
    };
    let Some(site) = chosen.clone() else { return choose(true).map(Err) };
    let named = reader.asked.item.clone().filter(|item| !item.is_empty());
    let item = named.or_else(|| app.fleet.setup().pack.items.keys().next().map(ToString::to_string));
    let Some(item) = item else { return choose(false).map(Err) };
    let of = ItemMonth::of(&app.fleet, &site, &item, now).ok_or(PageError::NotFound)?;
    Ok(Ok(Asked { site, item, month, of }))
}

/// What stands at the head of both pages.
fn head(scene: &Scene<'_>, asked: &Asked, about: About) -> MonthOf {
    let Asked { site, item, month, of } = asked;
    let option = |id: &str, one: &Item| SelectOption {
        value: about.address(*month, site, id),
        label: scene.text(&one.label),
        chosen: *id == **item,
    };
    let items: Vec<SelectOption> = scene.pack.items.iter().map(|(id, one)| option(id, one)).collect();
    let last = match about {
        About::Statement => asked.present(scene.now),
        About::Plan => asked.present(scene.now).next(),
    };
    let other = match about {
        About::Statement => About::Plan.address(month.next(), site, item),
        About::Plan => About::Statement.address(month.previous(), site, item),
    };
    let export = |format: &str| format!("{}/{month}/{format}?site={site}&item={item}", about.path());
    MonthOf {
        month: month.to_string(),
        item: scene.text(&of.item.label),
        unit: scene.text(&of.item.unit),
        items: if items.len() > 1 { items } else { Vec::new() },
        previous: about.address(month.previous(), site, item),
        next: (*month < last).then(|| about.address(month.next(), site, item)),
        other,
        csv: export("csv"),
        xlsx: export("xlsx"),
        print: export(PRINT),
    }
}

fn yuan(fen: i64) -> String {
    let (sign, fen) = if fen < 0 { ("-", fen.unsigned_abs()) } else { ("", fen.unsigned_abs()) };
    format!("{sign}¥{}.{:02}", fen / 100, fen % 100)
}

/// Tables as a file of that name and format.
pub(super) fn table(
    app: &App,
    reader: &Reader,
    sheets: Result<Vec<Sheet>, PageError>,
    name: &str,
    format: &str,
) -> Response {
    let file = sheets.and_then(|sheets| match format {
        "csv" => {
            Ok((export::csv(&sheets).map_err(|error| PageError::Render(error.into()))?, "text/csv; charset=utf-8"))
        }
        "xlsx" => Ok((
            export::xlsx(&sheets).map_err(|error| PageError::Render(error.into()))?,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )),
        _ => Err(PageError::NotFound),
    });
    match file {
        Ok((bytes, kind)) => {
            let named = HeaderValue::try_from(format!("attachment; filename=\"{name}.{format}\""));
            let named = named.unwrap_or(HeaderValue::from_static("attachment"));
            let nosniff = (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
            let fresh = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            ([kind, (header::CONTENT_DISPOSITION, named), nosniff, fresh], bytes).into_response()
        }
        Err(error) => answer::refuse(app, reader, error),
    }
}

fn words(head: &[&str]) -> Vec<String> {
    head.iter().map(ToString::to_string).collect()
}
