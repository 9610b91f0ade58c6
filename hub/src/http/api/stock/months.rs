//! An item's month: what was used, and what is to be bought.

use axum::{Json, extract::State};
use lobby_contract::SiteId;
use lobby_domain::{
    purchase::{Act, LaunchDays, Month, Proposal},
    statement::{Difference, MachineLine, PlaceLine, Statement as Made},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ApiError, App, Body, Caller, Path, PlanDecision, agree_to_statement, decide_on_plan};
use crate::{
    stock::month::ItemMonth,
    store::{PurchaseRow, PurchaseStep},
};

/// Where an item was and went within a month, in pieces: `began` and everything that came, less everything that went, is `ended`.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlaceMonth {
    /// `store`, `counter` or `machine/ID`.
    place: String,
    began: i64,
    received: i64,
    /// What was filled into machines: it comes to them and goes from the store room.
    refilled: i64,
    dispensed: i64,
    handed_out: i64,
    wasted: i64,
    moved: i64,
    /// What counts found more than the books; less than zero if they found less.
    difference: i64,
    ended: i64,
}

/// What a machine handed out within a month.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct MachineMonth {
    device: String,
    dispensed: i64,
    /// The same by day, the first of the month first.
    days: Vec<i64>,
    /// Pieces that do not count until somebody accepts them.
    held: i64,
    /// How often its counter was cleared without saying so.
    unsure: u32,
    jams: u32,
    /// Jams for each thousand pieces; null if none was handed out.
    jams_per_thousand: Option<f64>,
}

/// A count that did not find what the books said.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct CountedMonth {
    /// In ms since 1970 UTC.
    at: i64,
    place: String,
    booked: i64,
    counted: i64,
    reason: String,
    by: String,
}

/// What was used of an item at a site within a month.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Statement {
    site: String,
    item: String,
    /// Such as `2026-11`.
    month: String,
    /// Pieces that guests were given, by machines and by hand.
    used: i64,
    /// Pieces that were thrown away or are missing; less than zero if counts found more.
    lost: i64,
    /// What was handed out by hand, by day, the first of the month first.
    by_hand: Vec<i64>,
    machines: Vec<MachineMonth>,
    places: Vec<PlaceMonth>,
    differences: Vec<CountedMonth>,
    /// What a piece costs, in fen, if known.
    price: Option<i64>,
    /// What was used, in fen, if known.
    cost: Option<i64>,
    /// Who has agreed to it; null if nobody has.
    agreed: Option<Agreed>,
}

/// That somebody has looked at a statement and agrees to it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Agreed {
    /// Their name; empty if not known.
    by: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// Whoever agrees to a statement.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::http) struct NewAgreement {
    /// Their name; counts only where nobody is signed in.
    by: String,
}

/// What is decided about a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewPlanStep {
    /// The number of steps that the plan had when it was looked at.
    seen: usize,
    /// Pieces to be bought from then on; for `edit` alone.
    pieces: Option<i64>,
    /// Why; `edit` and `return` need it.
    #[serde(default)]
    reason: String,
    /// The name of whoever decides; counts only where nobody is signed in.
    #[serde(default)]
    by: String,
}

/// What is expected of the open days of a month that fall on one weekday.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlanDays {
    /// 1 for Monday to 7 for Sunday.
    weekday: i8,
    open: u32,
    /// Pieces expected on each.
    each: f64,
}

/// What is expected of the launch days of a month, which the site names.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlanLaunches {
    /// On how many launch days the site is open.
    open: u32,
    /// Pieces expected on each, in the mean.
    each: f64,
    /// How many times as much as on an ordinary day.
    factor: f64,
    /// From how many past launch days that was learnt; 0 if it is what the site says.
    learnt_from: usize,
}

/// How well a past month was forecast when it began.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlanHindsight {
    month: String,
    expected: i64,
    used: i64,
}

/// Every term of a purchase, in pieces.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlanTerms {
    /// In ms since 1970 UTC.
    made_at: i64,
    /// The ordinary days, by weekday.
    days: Vec<PlanDays>,
    /// The launch days; null if the month has none.
    launches: Option<PlanLaunches>,
    /// Expected to be used in the month.
    demand: i64,
    /// The standard deviation of a day's use.
    deviation: f64,
    lead_days: u32,
    /// Kept back because use varies while an order takes its time.
    safety: i64,
    on_hand: i64,
    /// Expected to be used until the month begins.
    until_then: i64,
    on_order: i64,
    need: i64,
    pack: i64,
    min_order: i64,
    /// What is proposed: `need`, in whole boxes, and as many as are sold at least.
    proposed: i64,
    /// In fen, if known.
    price: Option<i64>,
    hindsight: Vec<PlanHindsight>,
}

/// What somebody did with a purchase.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PlanStep {
    /// `edit`, `submit`, `approve` or `return`.
    act: &'static str,
    /// Pieces to be bought from then on.
    pieces: i64,
    reason: String,
    by: String,
    post: String,
    /// In ms since 1970 UTC.
    at: i64,
}

/// What is to be bought of an item for a month.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Plan {
    site: String,
    item: String,
    /// Such as `2026-12`.
    month: String,
    /// Pieces to be bought.
    pieces: i64,
    /// In fen, if known.
    cost: Option<i64>,
    submitted: bool,
    approved: bool,
    /// The post that is to approve it next.
    waits_for: Option<String>,
    /// What the figure was made of when somebody last edited or submitted it; of this moment if nobody has.
    terms: PlanTerms,
    steps: Vec<PlanStep>,
}

impl From<&PlaceLine> for PlaceMonth {
    fn from(line: &PlaceLine) -> Self {
        Self {
            place: line.place.to_string(),
            began: line.began,
            received: line.received,
            refilled: line.refilled,
            dispensed: line.dispensed,
            handed_out: line.handed_out,
            wasted: line.wasted,
            moved: line.moved,
            difference: line.difference,
            ended: line.ended,
        }
    }
}

impl From<&MachineLine> for MachineMonth {
    fn from(line: &MachineLine) -> Self {
        Self {
            device: line.machine.to_string(),
            dispensed: line.dispensed,
            days: line.days.clone(),
            held: line.held,
            unsure: line.unsure,
            jams: line.jams,
            jams_per_thousand: line.jams_per_thousand(),
        }
    }
}

impl From<&Difference> for CountedMonth {
    fn from(found: &Difference) -> Self {
        Self {
            at: found.at.millis(),
            place: found.place.to_string(),
            booked: found.booked,
            counted: found.counted,
            reason: found.reason.to_string(),
            by: found.who.to_string(),
        }
    }
}

impl Statement {
    fn of(site: &SiteId, item: String, made: &Made, agreed: Option<(String, Timestamp)>) -> Self {
        Self {
            agreed: agreed.map(|(by, at)| Agreed { by, at: at.millis() }),
            site: site.to_string(),
            item,
            month: made.month.to_string(),
            used: made.used(),
            lost: made.lost(),
            by_hand: made.by_hand.clone(),
            machines: made.machines.iter().map(MachineMonth::from).collect(),
            places: made.places.iter().map(PlaceMonth::from).collect(),
            differences: made.differences.iter().map(CountedMonth::from).collect(),
            price: made.price,
            cost: made.cost(made.used()),
        }
    }
}

impl From<LaunchDays> for PlanLaunches {
    fn from(of: LaunchDays) -> Self {
        Self { open: of.open, each: of.each, factor: of.factor, learnt_from: of.learnt_from }
    }
}

impl From<&Proposal> for PlanTerms {
    fn from(terms: &Proposal) -> Self {
        let days = terms.days.iter().map(|day| PlanDays { weekday: day.weekday, open: day.open, each: day.each });
        let hindsight = terms.hindsight.iter().map(|past| PlanHindsight {
            month: past.month.clone(),
            expected: past.expected,
            used: past.used,
        });
        Self {
            made_at: terms.made_at.millis(),
            days: days.collect(),
            launches: terms.launches.map(PlanLaunches::from),
            demand: terms.demand,
            deviation: terms.deviation,
            lead_days: terms.lead_days,
            safety: terms.safety,
            on_hand: terms.on_hand,
            until_then: terms.until_then,
            on_order: terms.on_order,
            need: terms.need,
            pack: terms.pack,
            min_order: terms.min_order,
            proposed: terms.pieces,
            price: terms.price,
            hindsight: hindsight.collect(),
        }
    }
}

impl From<&PurchaseStep> for PlanStep {
    fn from(step: &PurchaseStep) -> Self {
        let (reason, by, post) = (step.reason.clone(), step.who.clone(), step.post.clone());
        Self { act: step.act.as_str(), pieces: step.pieces, reason, by, post, at: step.at.millis() }
    }
}

impl Plan {
    fn of((site, item, month): (&SiteId, String, Month), row: &PurchaseRow, approvers: &[Box<str>]) -> Self {
        let standing = row.standing();
        Self {
            site: site.to_string(),
            item,
            month: month.to_string(),
            pieces: standing.pieces,
            cost: row.terms.cost(standing.pieces),
            submitted: standing.submitted,
            approved: standing.is_approved(approvers.len()),
            waits_for: standing.turn(approvers).map(ToString::to_string),
            terms: PlanTerms::from(&row.terms),
            steps: row.steps.iter().map(PlanStep::from).collect(),
        }
    }
}

/// The month and the item of a path.
fn asked(app: &App, (site, item, month): &(SiteId, String, String)) -> Result<(Month, ItemMonth), ApiError> {
    let month = month
        .parse::<Month>()
        .map_err(|_| ApiError::Parameter("`month`: write year and month, as `2026-11`".into()))?;
    if !app.fleet.read().contains_key(site) {
        return Err(ApiError::NotFound("site"));
    }
    let of = ItemMonth::of(&app.fleet, site, item, app.clock.now()).ok_or(ApiError::NotFound("item"))?;
    Ok((month, of))
}

/// What was used of an item within a month, and whether the books agree with the counts.
#[utoipa::path(get, path = "/api/v1/sites/{site}/stock/{item}/statements/{month}", tag = "stock",
    params(("site" = String, Path, description = "The site"), ("item" = String, Path, description = "Such as `shoe-cover`"),
        ("month" = String, Path, description = "Such as `2026-11`")),
    responses((status = 200, body = Statement), (status = 400, description = "It is no month"),
        (status = 404, description = "There is no such site or item")))]
pub(in crate::http) async fn show_statement(
    State(app): State<App>,
    Path(path): Path<(SiteId, String, String)>,
) -> Result<Json<Statement>, ApiError> {
    let (month, of) = asked(&app, &path)?;
    let (site, item, _) = path;
    statement_of(&app, (site, item, month), &of).await
}

async fn statement_of(
    app: &App,
    (site, item, month): (SiteId, String, Month),
    of: &ItemMonth,
) -> Result<Json<Statement>, ApiError> {
    let made = of.statement(&app.store, &app.fleet, (&site, &item), month, app.clock.now()).await?;
    let agreed = app.store.closed_statement(&site, &item, month).await?;
    Ok(Json(Statement::of(&site, item, &made, agreed)))
}

/// Agrees to the statement of a month that is over. The first who does is noted; again, it changes nothing.
#[utoipa::path(post, path = "/api/v1/sites/{site}/stock/{item}/statements/{month}/agree", tag = "stock",
    params(("site" = String, Path, description = "The site"), ("item" = String, Path, description = "Such as `shoe-cover`"),
        ("month" = String, Path, description = "Such as `2026-11`")),
    request_body = NewAgreement,
    responses((status = 200, body = Statement), (status = 400, description = "It is no month, or no name"),
        (status = 404, description = "There is no such site or item"), (status = 409, description = "The month is not over")))]
pub(in crate::http) async fn agree(
    State(app): State<App>,
    caller: Caller,
    Path(path): Path<(SiteId, String, String)>,
    Body(new): Body<NewAgreement>,
) -> Result<Json<Statement>, ApiError> {
    let (month, of) = asked(&app, &path)?;
    let (site, item, _) = path;
    agree_to_statement(&app, &caller, (&site, &item, month), &of, new.by).await?;
    statement_of(&app, (site, item, month), &of).await
}

/// What is to be bought of an item for a month, with every term, and who has approved it.
#[utoipa::path(get, path = "/api/v1/sites/{site}/stock/{item}/plans/{month}", tag = "stock",
    params(("site" = String, Path, description = "The site"), ("item" = String, Path, description = "Such as `shoe-cover`"),
        ("month" = String, Path, description = "Such as `2026-12`")),
    responses((status = 200, body = Plan), (status = 400, description = "It is no month"),
        (status = 404, description = "There is no such site or item, or nothing has been used yet")))]
pub(in crate::http) async fn show_plan(
    State(app): State<App>,
    Path(path): Path<(SiteId, String, String)>,
) -> Result<Json<Plan>, ApiError> {
    let (month, of) = asked(&app, &path)?;
    let (site, item, _) = path;
    plan_of(&app, (&site, &item, month), &of).await
}

async fn plan_of(
    app: &App,
    (site, item, month): (&SiteId, &str, Month),
    of: &ItemMonth,
) -> Result<Json<Plan>, ApiError> {
    let row = of.plan(&app.store, (site, item), month, app.clock.now()).await?;
    let row = row.ok_or(ApiError::NotFound("plan: nothing has been used yet, so nothing can be proposed"))?;
    Ok(Json(Plan::of((site, item.to_owned(), month), &row, &of.item.approved_by)))
}

/// Edits, submits, approves or sends back what is to be bought for a month. The same once more, by whoever did it, changes nothing.
#[utoipa::path(post, path = "/api/v1/sites/{site}/stock/{item}/plans/{month}/{act}", tag = "stock",
    params(("site" = String, Path, description = "The site"), ("item" = String, Path, description = "Such as `shoe-cover`"),
        ("month" = String, Path, description = "Such as `2026-12`"),
        ("act" = String, Path, description = "`edit`, `submit`, `approve` or `return`")),
    request_body = NewPlanStep,
    responses((status = 200, body = Plan), (status = 400, description = "It is no month, no number of pieces, or a reason is missing"),
        (status = 403, description = "Another post is to approve it now"),
        (status = 404, description = "There is no such site, item or act, or nothing has been used yet"),
        (status = 409, description = "Somebody has done something with it meanwhile, or it is not the time for this")))]
pub(in crate::http) async fn decide(
    State(app): State<App>,
    caller: Caller,
    Path((site, item, month, act)): Path<(SiteId, String, String, String)>,
    Body(new): Body<NewPlanStep>,
) -> Result<Json<Plan>, ApiError> {
    let path = (site, item, month);
    let (month, of) = asked(&app, &path)?;
    let (site, item, _) = path;
    let act = match (act.as_str(), new.pieces) {
        ("edit", Some(pieces)) => Act::Edit { pieces },
        ("edit", None) => return Err(ApiError::Parameter("`pieces` is missing".into())),
        ("submit", _) => Act::Submit,
        ("approve", _) => Act::Approve,
        ("return", _) => Act::Return,
        _ => return Err(ApiError::NotFound("act: it is `edit`, `submit`, `approve` or `return`")),
    };
    let decision = PlanDecision { act: &act, seen: new.seen, reason: new.reason.trim(), by: new.by };
    decide_on_plan(&app, &caller, (&site, &item, month), &of, decision).await?;
    plan_of(&app, (&site, &item, month), &of).await
}
