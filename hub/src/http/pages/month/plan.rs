//! What is to be bought of an item for a month, and its way along the chain of command.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::StatusCode,
    response::Response,
};
use lobby_dashboards::{
    MonthTexts, Page, Plan, PlanForm, PlanHindsight, PlanPage, PlanRefused, PlanSheet, PlanState, PlanStep, PlanTerm,
    StockMistake,
};
use lobby_domain::{
    access::Need,
    purchase::{Act, Hindsight, LaunchDays, Month, Proposal, Refusal, Standing},
};
use serde::Deserialize;

use super::{
    About, App, Asked, Caller, Html, Open, PRINT, PageError, Path, Reader, Scene,
    act::{filled, noticed},
    answer::{answer, document, refuse, see},
    asked, head,
    stock::known,
    table, words, yuan,
};
use crate::{
    export::{Cell, Sheet},
    http::{
        address::Origin,
        api::stock::{PlanDecision, PlanError, decide_on_plan, speaks_for},
    },
    stock::month::ItemMonth,
    store::{PurchaseRow, PurchaseStep, doer_of},
};

/// The form by which a plan is edited, submitted, approved or sent back.
#[derive(Debug, Deserialize)]
pub(in crate::http::pages) struct Sent {
    /// How many steps there were.
    seen: usize,
    #[serde(rename = "do")]
    act: String,
    pieces: Option<String>,
    #[serde(default)]
    reason: String,
}

/// What is to be bought for a month.
pub(in crate::http::pages) async fn plan(
    State(app): State<App>,
    reader: Reader,
    Path(month): Path<String>,
) -> Response {
    answer(&app, &reader, plan_page(&app, &reader, &month)).await
}

/// A purchase as it stands: what was kept of it, or what would be proposed now.
async fn read_plan(app: &App, asked: &Asked) -> Result<Option<PurchaseRow>, PageError> {
    let of = (&asked.site, asked.item.as_str());
    Ok(asked.of.plan(&app.store, of, asked.month, app.clock.now()).await?)
}

async fn plan_page(app: &App, reader: &Reader, month: &str) -> Result<String, PageError> {
    match asked(app, reader, About::Plan, month)? {
        Ok(asked) => page(app, reader, &asked, None).await,
        Err(page) => Ok(page),
    }
}

async fn page(app: &App, reader: &Reader, asked: &Asked, refused: Option<PlanRefused>) -> Result<String, PageError> {
    made(app, reader, asked, refused, |_, page| page).await?.html(reader.fragment)
}

/// The page, or what is made of it.
async fn made<T>(
    app: &App,
    reader: &Reader,
    asked: &Asked,
    refused: Option<PlanRefused>,
    then: impl FnOnce(&Scene<'_>, PlanPage) -> T,
) -> Result<T, PageError> {
    let row = read_plan(app, asked).await?;
    let open = Open::default();
    Scene::with(app, reader, Some(asked.site.clone()), &open, |scene| {
        let Asked { site, item, month, .. } = asked;
        let mut chrome = scene.chrome(Page::Stock);
        if refused.is_some() {
            // The page has no address under which it could be fetched again with what was typed.
            chrome.live = false;
            chrome.path = About::Plan.address(*month, site, item);
        }
        let page = PlanPage {
            chrome,
            of: head(scene, asked, About::Plan),
            action: format!("/stock/plan/{site}/{item}/{month}"),
            plan: row.as_ref().map(|row| plan_of(scene, asked, row)),
            refused,
        };
        Ok(then(scene, page))
    })
}

fn plan_of(scene: &Scene<'_>, asked: &Asked, row: &PurchaseRow) -> Plan {
    let (standing, approvers, terms) = (row.standing(), &asked.of.item.approved_by, &row.terms);
    let texts = scene.reader.lang.month_texts();
    let unit = scene.text(&asked.of.item.unit);
    Plan {
        state: match standing.turn(approvers) {
            _ if standing.is_approved(approvers.len()) => PlanState::Approved,
            Some(post) => PlanState::With(scene.post(post)),
            None => PlanState::Open,
        },
        pieces: standing.pieces,
        boxes: (standing.pieces.div_euclid(terms.pack.max(1)), terms.pack),
        cost: terms.cost(standing.pieces).map(yuan),
        terms: plan_terms(texts, terms),
        need: terms.need,
        proposed: terms.pieces,
        hindsight: terms.hindsight.iter().map(hindsight).collect(),
        steps: row.steps.iter().map(|step| plan_step(scene, texts, &unit, step)).collect(),
        seen: row.steps.len(),
        form: form(&scene.reader.caller.at(&asked.site), &standing, approvers),
    }
}

fn form(caller: &Caller, standing: &Standing, approvers: &[Box<str>]) -> PlanForm {
    let may = caller.may(Need::Stock);
    PlanForm {
        edit: may && !standing.submitted,
        approve: may && standing.turn(approvers).is_some_and(|post| speaks_for(caller, post)),
        has_approved: standing.has_approval_of(&doer_of(&caller.actor(""), &caller.signs(String::new()))),
    }
}

fn hindsight(seen: &Hindsight) -> PlanHindsight {
    let error = seen.error_percent().map_or_else(String::new, |error| format!("{error:+.1} %"));
    PlanHindsight { month: seen.month.clone(), expected: seen.expected, used: seen.used, error }
}

fn plan_terms(m: &MonthTexts, terms: &Proposal) -> Vec<PlanTerm> {
    let days = terms.days.iter().map(|days| {
        let (open, each) = (days.open.to_string(), format!("{:.0}", days.each));
        lobby_dashboards::filled_with(m.term_days, &[m.weekday(days.weekday), &open, &each])
    });
    let term = |label: &str, how: Option<String>, pieces| PlanTerm { label: label.to_owned(), how, pieces };
    let launches = terms.launches.map(|launches| launch_term(m, launches));
    let days = days.chain(launches);
    let (deviation, lead) = (format!("{:.1}", terms.deviation), terms.lead_days.to_string());
    let safety = lobby_dashboards::filled_with(m.term_safety_how, &[&deviation, &lead]);
    vec![
        term(m.term_demand, Some(days.collect::<Vec<_>>().join("; ")), terms.demand),
        term(m.term_safety, Some(safety), terms.safety),
        term(m.term_until, None, terms.until_then),
        term(m.term_on_hand, None, -terms.on_hand),
        term(m.term_on_order, None, -terms.on_order),
    ]
}

/// How many launch days there are, what is expected of each, and where that is known from.
fn launch_term(m: &MonthTexts, of: LaunchDays) -> String {
    let (open, each, factor) = (of.open.to_string(), format!("{:.0}", of.each), format!("{:.1}", of.factor));
    let learnt_from = of.learnt_from.to_string();
    match of.learnt_from {
        0 => lobby_dashboards::filled_with(m.term_launches_stated, &[&open, &each, &factor]),
        _ => lobby_dashboards::filled_with(m.term_launches_learnt, &[&open, &each, &factor, &learnt_from]),
    }
}

fn plan_step(scene: &Scene<'_>, m: &MonthTexts, unit: &str, step: &PurchaseStep) -> PlanStep {
    let pieces = step.pieces.to_string();
    let said = |text| lobby_dashboards::filled_with(text, &[&pieces, unit]);
    let post = (!step.post.is_empty()).then(|| scene.post(&step.post));
    let who = post.into_iter().chain((!step.who.is_empty()).then(|| step.who.clone()));
    PlanStep {
        what: match step.act {
            Act::Edit { .. } => said(m.did_edit),
            Act::Submit => said(m.did_submit),
            Act::Approve => said(m.did_approve),
            Act::Return => m.did_return.to_owned(),
        },
        who: who.collect::<Vec<_>>().join(" "),
        at: scene.when(step.at),
        reason: (!step.reason.is_empty()).then(|| step.reason.clone()),
    }
}

/// Edits, submits, approves or sends back what is to be bought.
pub(in crate::http::pages) async fn decide(
    State(app): State<App>,
    reader: Reader,
    Path((site, item, month)): Path<(String, String, String)>,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    decided(&app, &reader, (&site, item, &month), form).await.unwrap_or_else(|error| refuse(&app, &reader, error))
}

async fn decided(
    app: &App,
    reader: &Reader,
    (site, item, month): (&str, String, &str),
    form: Result<Form<Sent>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(sent) = filled(form)?;
    let site = known(app, reader, site)?;
    let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
    let of = ItemMonth::of(&app.fleet, &site, &item, app.clock.now()).ok_or(PageError::NotFound)?;
    let asked = Asked { site, item, month, of };
    let act = match sent.act.as_str() {
        "edit" => match sent.pieces.as_deref().unwrap_or_default().trim().parse() {
            Ok(pieces) => Act::Edit { pieces },
            Err(_) => return again(app, reader, &asked, &sent, StockMistake::Pieces).await,
        },
        "submit" => Act::Submit,
        "approve" => Act::Approve,
        "return" => Act::Return,
        _ => return Err(PageError::BadRequest),
    };
    let Asked { site, item, month, of } = &asked;
    let decision = PlanDecision { act: &act, seen: sent.seen, reason: sent.reason.trim(), by: String::new() };
    let notice = match decide_on_plan(app, &reader.caller, (site, item, *month), of, decision).await {
        Ok(()) => "saved",
        Err(PlanError::Stale) => "conflict",
        Err(PlanError::Refused(Refusal::Reason)) => {
            return again(app, reader, &asked, &sent, StockMistake::Reason).await;
        }
        Err(PlanError::Refused(Refusal::Pieces)) => {
            return again(app, reader, &asked, &sent, StockMistake::Pieces).await;
        }
        Err(PlanError::Refused(Refusal::Twice)) => StockMistake::Twice.name(),
        Err(PlanError::Refused(Refusal::NotYours)) => return Err(PageError::Forbidden),
        Err(PlanError::Refused(_)) => "step",
        Err(PlanError::Nothing) => return Err(PageError::NotFound),
        Err(PlanError::Name) => return Err(PageError::BadRequest),
        Err(PlanError::Store(error)) => return Err(error.into()),
    };
    Ok(see(&noticed(&About::Plan.address(*month, site, item), notice)))
}

/// The page again, with the form that was not taken as it was filled in.
async fn again(
    app: &App,
    reader: &Reader,
    asked: &Asked,
    sent: &Sent,
    mistake: StockMistake,
) -> Result<Response, PageError> {
    let refused = PlanRefused {
        mistake,
        act: sent.act.clone(),
        pieces: sent.pieces.clone().unwrap_or_default(),
        reason: sent.reason.clone(),
    };
    Ok(document(StatusCode::UNPROCESSABLE_ENTITY, page(app, reader, asked, Some(refused)).await?))
}

/// The plan as a table, or on paper.
pub(in crate::http::pages) async fn plan_table(
    State(app): State<App>,
    reader: Reader,
    origin: Origin,
    Path((month, format)): Path<(String, String)>,
) -> Response {
    if format == PRINT {
        return answer(&app, &reader, printed(&app, &reader, &origin, &month)).await;
    }
    let sheets = async {
        let Ok(asked) = asked(&app, &reader, About::Plan, &month)? else { return Err(PageError::NotFound) };
        let row = read_plan(&app, &asked).await?.ok_or(PageError::NotFound)?;
        let open = Open::default();
        Scene::with(&app, &reader, Some(asked.site.clone()), &open, |scene| {
            Ok(plan_sheets(scene.reader.lang.month_texts(), &plan_of(scene, &asked, &row)))
        })
    };
    table(&app, &reader, sheets.await, &format!("purchase-{month}"), &format)
}

async fn printed(app: &App, reader: &Reader, origin: &Origin, month: &str) -> Result<String, PageError> {
    let Ok(asked) = asked(app, reader, About::Plan, month)? else { return Err(PageError::NotFound) };
    let back = About::Plan.address(asked.month, &asked.site, &asked.item);
    let paper = made(app, reader, &asked, None, |scene, page| PlanSheet {
        // No code stands on it.
        sheet: lobby_dashboards::Sheet { only_here: false, ..origin.sheet(scene, back) },
        site: scene.name_of(&asked.site),
        page,
    });
    paper.await?.render().map_err(|error| PageError::Render(Box::new(error)))
}

fn plan_sheets(m: &MonthTexts, plan: &Plan) -> Vec<Sheet> {
    let line = |term: &PlanTerm| {
        vec![term.label.as_str().into(), term.how.clone().unwrap_or_default().into(), term.pieces.into()]
    };
    let mut lines: Vec<Vec<Cell>> = plan.terms.iter().map(line).collect();
    for (label, pieces) in [(m.term_need, plan.need), (m.term_rounded, plan.proposed), (m.act_pieces, plan.pieces)] {
        lines.push(vec![label.into(), "".into(), pieces.into()]);
    }
    if let Some(cost) = &plan.cost {
        lines.push(vec![m.cost.into(), "".into(), cost.as_str().into()]);
    }
    let seen = |seen: &PlanHindsight| {
        vec![seen.month.as_str().into(), seen.expected.into(), seen.used.into(), seen.error.as_str().into()]
    };
    let step = |step: &PlanStep| {
        let reason = step.reason.clone().unwrap_or_default();
        vec![step.at.full.as_str().into(), step.what.as_str().into(), step.who.as_str().into(), reason.into()]
    };
    vec![
        Sheet { name: m.terms.to_owned(), head: words(&[m.term, "", m.pieces]), lines },
        Sheet {
            name: m.hindsight_short.to_owned(),
            head: words(&[m.month, m.expected, m.actual, m.error]),
            lines: plan.hindsight.iter().map(seen).collect(),
        },
        Sheet {
            name: m.history.to_owned(),
            head: words(&[m.day, m.history, m.by_whom, m.act_reason]),
            lines: plan.steps.iter().map(step).collect(),
        },
    ]
}
