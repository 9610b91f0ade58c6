//! An item's month: its statement, what is to be bought for the next one, and both as tables.

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use lobby_contract::SiteId;
use lobby_dashboards::{
    CountDifference, DayOfMonth, MachineMonth, MonthOf, MonthSitePage, MonthTexts, Page, PlaceMonth, Plan, PlanForm,
    PlanHindsight, PlanPage, PlanState, PlanStep, PlanTerm, SelectOption, StatementPage, StockMistake,
};
use lobby_domain::{
    access::{Need, Role},
    alert::Subject,
    calendar::local,
    pack::Item,
    purchase::{Act, Hindsight, LaunchDays, Month, Proposal, Refusal, Standing},
    statement::{Difference, MachineLine, PlaceLine, Statement},
    stock::Place,
    time::Timestamp,
};
use serde::Deserialize;

use super::{
    App, Caller, Html, Open, PageError, Path, Reader, Scene,
    act::{LONGEST_NAME, filled, noticed},
    answer::{answer, refuse, see},
    restrain::text,
    stock::{known, place},
};
use crate::{
    export::{self, Cell, Sheet},
    stock::month::ItemMonth,
    store::{Closing, PurchaseDeed, PurchaseError, PurchaseKey, PurchaseRow, PurchaseStep, doer_of},
};

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

/// The form by which a plan is edited, submitted, approved or sent back.
#[derive(Debug, Deserialize)]
pub(super) struct Sent {
    /// How many steps there were.
    seen: usize,
    #[serde(rename = "do")]
    act: String,
    pieces: Option<String>,
    #[serde(default)]
    reason: String,
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
        Month::of(local(now, self.of.calendar.zone()).date())
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
    }
}

fn yuan(fen: i64) -> String {
    let (sign, fen) = if fen < 0 { ("-", fen.unsigned_abs()) } else { ("", fen.unsigned_abs()) };
    format!("{sign}¥{}.{:02}", fen / 100, fen % 100)
}

fn machine_name(scene: &Scene<'_>, asked: &Asked, line: &MachineLine) -> String {
    scene.subject(&asked.site, &Subject::Device(line.machine.clone())).name
}

fn place_name(scene: &Scene<'_>, asked: &Asked, of: &Place) -> String {
    let named = asked.of.levels.hand_out.clone().filter(|_| *of == Place::Counter);
    named.unwrap_or_else(|| place(scene, &asked.site, None, of))
}

/// What was used in a month.
pub(super) async fn statement(State(app): State<App>, reader: Reader, Path(month): Path<String>) -> Response {
    answer(&app, &reader, statement_page(&app, &reader, &month)).await
}

async fn statement_page(app: &App, reader: &Reader, month: &str) -> Result<String, PageError> {
    let asked = match asked(app, reader, About::Statement, month)? {
        Ok(asked) => asked,
        Err(page) => return Ok(page),
    };
    let statement = read_statement(app, &asked).await?;
    let agreed = app.store.closed_statement(&asked.site, &asked.item, asked.month).await?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(asked.site.clone()), &open, |scene| {
        let is_over = asked.month < asked.present(scene.now);
        Ok(StatementPage {
            chrome: scene.chrome(Page::Stock),
            of: head(scene, &asked, About::Statement),
            is_over,
            used: statement.used(),
            lost: statement.lost(),
            cost: statement.cost(statement.used()).map(yuan),
            machines: statement.machines.iter().map(|line| machine(machine_name(scene, &asked, line), line)).collect(),
            days: days(&statement),
            places: statement
                .places
                .iter()
                .map(|line| of_place(place_name(scene, &asked, &line.place), line))
                .collect(),
            differences: differences(scene, &asked, &statement),
            agree: (is_over && agreed.is_none() && reader.caller.at(&asked.site).may(Need::Stock))
                .then(|| format!("/stock/statement/{}/{}/{}", asked.site, asked.item, asked.month)),
            agreed: agreed.as_ref().map(|(who, at)| (who.clone(), scene.when(*at))),
        })
    })?;
    page.html(reader.fragment)
}

async fn read_statement(app: &App, asked: &Asked) -> Result<Statement, PageError> {
    let (site, now) = ((&asked.site, asked.item.as_str()), app.clock.now());
    Ok(asked.of.statement(&app.store, &app.fleet, site, asked.month, now).await?)
}

fn machine(name: String, line: &MachineLine) -> MachineMonth {
    MachineMonth {
        name,
        dispensed: line.dispensed,
        held: line.held,
        unsure: line.unsure,
        jams: line.jams,
        jams_per_thousand: line.jams_per_thousand(),
    }
}

fn days(statement: &Statement) -> Vec<DayOfMonth> {
    let day = |(number, (date, by_hand)): (usize, (jiff::civil::Date, &i64))| {
        let machines: Vec<i64> = statement.machines.iter().map(|machine| machine.days[number]).collect();
        let used = machines.iter().sum::<i64>() + by_hand;
        DayOfMonth { day: date.strftime("%m-%d").to_string(), machines, by_hand: *by_hand, used }
    };
    statement.days().zip(&statement.by_hand).enumerate().map(day).collect()
}

/// The columns of a place, in their order.
fn changes(line: &PlaceLine) -> [i64; 7] {
    let PlaceLine { received, refilled, dispensed, handed_out, wasted, moved, difference, .. } = *line;
    [received, refilled, dispensed, handed_out, wasted, moved, difference]
}

fn of_place(name: String, line: &PlaceLine) -> PlaceMonth {
    PlaceMonth { name, began: line.began, changes: changes(line), ended: line.ended }
}

fn differences(scene: &Scene<'_>, asked: &Asked, statement: &Statement) -> Vec<CountDifference> {
    let difference = |found: &Difference| CountDifference {
        at: scene.when(found.at),
        place: place_name(scene, asked, &found.place),
        booked: found.booked,
        counted: found.counted,
        reason: found.reason.to_string(),
        who: found.who.to_string(),
    };
    statement.differences.iter().map(difference).collect()
}

/// Agrees to a statement (SHO-D4: the use is checked against the books). Of a month that is not over there is nothing to agree to.
pub(super) async fn agree(
    State(app): State<App>,
    reader: Reader,
    Path((site, item, month)): Path<(String, String, String)>,
) -> Response {
    match agreed(&app, &reader, (&site, item, &month)).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn agreed(app: &App, reader: &Reader, (site, item, month): (&str, String, &str)) -> Result<String, PageError> {
    let (site, now) = (known(app, reader, site)?, app.clock.now());
    let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
    let of = ItemMonth::of(&app.fleet, &site, &item, now).ok_or(PageError::NotFound)?;
    let asked = Asked { site, item, month, of };
    let place = About::Statement.address(month, &asked.site, &asked.item);
    if month >= asked.present(now) {
        return Ok(noticed(&place, "step"));
    }
    let statement = read_statement(app, &asked).await?;
    let caller = reader.caller.at(&asked.site);
    let (who, actor) = (text(&caller.signs(String::new()), LONGEST_NAME)?, caller.actor(""));
    let saw = (statement.used(), statement.lost());
    let by = Closing { who: &who, post: caller.post(), saw, at: now, actor: &actor };
    app.store.close_statement(&asked.site, &asked.item, month, by).await?;
    Ok(noticed(&place, "saved"))
}

/// What is to be bought for a month.
pub(super) async fn plan(State(app): State<App>, reader: Reader, Path(month): Path<String>) -> Response {
    answer(&app, &reader, plan_page(&app, &reader, &month)).await
}

/// A purchase as it stands: what was kept of it, or what would be proposed now.
async fn read_plan(app: &App, asked: &Asked) -> Result<Option<PurchaseRow>, PageError> {
    let of = (&asked.site, asked.item.as_str());
    Ok(asked.of.plan(&app.store, of, asked.month, app.clock.now()).await?)
}

async fn plan_page(app: &App, reader: &Reader, month: &str) -> Result<String, PageError> {
    let asked = match asked(app, reader, About::Plan, month)? {
        Ok(asked) => asked,
        Err(page) => return Ok(page),
    };
    let row = read_plan(app, &asked).await?;
    let open = Open::default();
    let page = Scene::with(app, reader, Some(asked.site.clone()), &open, |scene| {
        let Asked { site, item, month, .. } = &asked;
        Ok(PlanPage {
            chrome: scene.chrome(Page::Stock),
            of: head(scene, &asked, About::Plan),
            action: format!("/stock/plan/{site}/{item}/{month}"),
            plan: row.as_ref().map(|row| plan_of(scene, &asked, row)),
        })
    })?;
    page.html(reader.fragment)
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

/// Whether somebody may decide for a post: whoever is of it, and who runs the product.
fn speaks_for(caller: &Caller, post: &str) -> bool {
    caller.any(|role| role.is_none_or(|role| role == Role::Admin || role.as_str() == post))
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
pub(super) async fn decide(
    State(app): State<App>,
    reader: Reader,
    Path((site, item, month)): Path<(String, String, String)>,
    form: Result<Form<Sent>, FormRejection>,
) -> Response {
    match decided(&app, &reader, (&site, &item, &month), form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn decided(
    app: &App,
    reader: &Reader,
    (site, item, month): (&str, &str, &str),
    form: Result<Form<Sent>, FormRejection>,
) -> Result<String, PageError> {
    let Form(sent) = filled(form)?;
    let (site, now) = (known(app, reader, site)?, app.clock.now());
    let month: Month = month.parse().map_err(|_| PageError::NotFound)?;
    let of = ItemMonth::of(&app.fleet, &site, item, now).ok_or(PageError::NotFound)?;
    let place = About::Plan.address(month, &site, item);
    let act = match sent.act.as_str() {
        "edit" => match sent.pieces.as_deref().unwrap_or_default().trim().parse() {
            Ok(pieces) => Act::Edit { pieces },
            Err(_) => return Ok(noticed(&place, StockMistake::Pieces.name())),
        },
        "submit" => Act::Submit,
        "approve" => Act::Approve,
        "return" => Act::Return,
        _ => return Err(PageError::BadRequest),
    };
    let terms = of.proposal(&app.store, (&site, item), month, now).await?;
    let Some(terms) = terms else { return Err(PageError::NotFound) };
    let caller = &reader.caller.at(&site);
    let (who, actor) = (text(&caller.signs(String::new()), LONGEST_NAME)?, caller.actor(""));
    let before = of.plan(&app.store, (&site, item), month, now).await?;
    let turn = before.and_then(|row| row.standing().turn(&of.item.approved_by).cloned());
    let deed = PurchaseDeed {
        act: &act,
        seen: sent.seen,
        reason: sent.reason.trim(),
        who: &who,
        post: caller.post_for(turn.as_deref().unwrap_or_default()),
        approvers: &of.item.approved_by,
        at: now,
        actor: &actor,
    };
    let key = PurchaseKey { site: &site, item, month };
    let notice = match app.store.act_on_purchase(key, &terms, deed, |post| speaks_for(caller, post)).await {
        Ok(()) => "saved",
        Err(PurchaseError::Stale) => "conflict",
        Err(PurchaseError::Refused(Refusal::Reason)) => StockMistake::Reason.name(),
        Err(PurchaseError::Refused(Refusal::Pieces)) => StockMistake::Pieces.name(),
        Err(PurchaseError::Refused(Refusal::Twice)) => StockMistake::Twice.name(),
        Err(PurchaseError::Refused(Refusal::NotYours)) => return Err(PageError::Forbidden),
        Err(PurchaseError::Refused(_)) => "step",
        Err(PurchaseError::Store(error)) => return Err(error.into()),
    };
    Ok(noticed(&place, notice))
}

/// The statement as a table.
pub(super) async fn statement_table(
    State(app): State<App>,
    reader: Reader,
    Path((month, format)): Path<(String, String)>,
) -> Response {
    let sheets = async {
        let Ok(asked) = asked(&app, &reader, About::Statement, &month)? else { return Err(PageError::NotFound) };
        let statement = read_statement(&app, &asked).await?;
        let open = Open::default();
        Scene::with(&app, &reader, Some(asked.site.clone()), &open, |scene| {
            Ok(statement_sheets(scene, &asked, &statement))
        })
    };
    table(&app, &reader, sheets.await, &format!("statement-{month}"), &format)
}

/// The plan as a table.
pub(super) async fn plan_table(
    State(app): State<App>,
    reader: Reader,
    Path((month, format)): Path<(String, String)>,
) -> Response {
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
        Err(error) => refuse(app, reader, error),
    }
}

fn words(head: &[&str]) -> Vec<String> {
    head.iter().map(ToString::to_string).collect()
}

fn statement_sheets(scene: &Scene<'_>, asked: &Asked, statement: &Statement) -> Vec<Sheet> {
    let m = scene.reader.lang.month_texts();
    let names: Vec<String> = statement.machines.iter().map(|line| machine_name(scene, asked, line)).collect();
    let mut by_day = vec![m.day.to_owned()];
    by_day.extend(names.iter().cloned());
    by_day.extend(words(&[m.by_hand, m.total]));
    let day = |day: DayOfMonth| {
        let numbers = day.machines.into_iter().chain([day.by_hand, day.used]).map(Cell::Whole);
        std::iter::once(Cell::Text(format!("{}-{}", asked.month.first().year(), day.day))).chain(numbers).collect()
    };
    let machine = |(name, line): (&String, &MachineLine)| {
        let rate = line.jams_per_thousand().map_or_else(|| Cell::from(""), Cell::Number);
        vec![name.as_str().into(), line.dispensed.into(), i64::from(line.jams).into(), rate]
    };
    let of_place = |line: &PlaceLine| {
        let numbers = std::iter::once(line.began).chain(changes(line)).chain([line.ended]).map(Cell::Whole);
        std::iter::once(place_name(scene, asked, &line.place).into()).chain(numbers).collect()
    };
    let columns = [m.received, m.refilled, m.counter, m.by_hand, m.wasted, m.moved, m.difference, m.ended];
    let found = |found: CountDifference| {
        let (booked, counted) = (found.booked.into(), found.counted.into());
        vec![found.at.full.into(), found.place.into(), booked, counted, found.reason.into(), found.who.into()]
    };
    vec![
        Sheet { name: m.days.to_owned(), head: by_day, lines: days(statement).into_iter().map(day).collect() },
        Sheet {
            name: m.machines.to_owned(),
            head: words(&[m.machine, m.dispensed, m.jams, m.jams_rate]),
            lines: names.iter().zip(&statement.machines).map(machine).collect(),
        },
        Sheet {
            name: m.places.to_owned(),
            head: words(&[&[m.place, m.began][..], &columns].concat()),
            lines: statement.places.iter().map(of_place).collect(),
        },
        Sheet {
            name: m.differences.to_owned(),
            head: words(&[m.day, m.place, m.by_books, m.by_count, m.act_reason, m.by_whom]),
            lines: differences(scene, asked, statement).into_iter().map(found).collect(),
        },
    ]
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
