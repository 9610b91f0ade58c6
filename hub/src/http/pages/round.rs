//! One round: its form, its record, and what people do with it.

use std::collections::BTreeMap;

use axum::{
    extract::{Request, State},
    response::Response,
};
use lobby_contract::SiteId;
use lobby_dashboards::{
    Fact, ItemFlag, ItemLine, ItemSaid, ItemStated, Page, Passed, PhotoMistake, PhotoWanted, RoundPage, Signed,
};
use lobby_domain::{
    access::Need,
    check::{
        self, Deed, Flag, LONGEST_NOTE, Line, Photo as Wanted, Readings, Refusal, Said, Stated, lacking, stands_at,
    },
    restraint::{self, Restraint},
    site::Site,
    time::Timestamp,
};
use uuid::Uuid;

use super::{
    App, Html, Open, PageError, Path, Reader, Scene,
    act::{LONGEST_NAME, noticed, photo_mistake},
    answer::{answer, refuse, see},
    report, restraints, rounds, tiles,
};
use crate::{
    checks::word,
    fleet::Changed,
    http::sent::Sent,
    photo::Photo,
    restraints::new_id,
    store::{AnswerRow, Answered, Checking, PassedOn, PhotoRow, RoundError, RoundRow, Signature},
};

/// What a form says, field by field.
type Fields = Vec<(String, String)>;

/// Everything about a round that is read from the database.
struct Case {
    round: RoundRow,
    answers: Vec<AnswerRow>,
    photos: Vec<(String, PhotoRow)>,
    passed: Option<PassedOn>,
}

impl Case {
    async fn read(app: &App, reader: &Reader, id: &str) -> Result<Self, PageError> {
        let round = id.parse::<Uuid>().map_err(|_| PageError::NotFound)?;
        let round = app.store.round(round).await?.ok_or(PageError::NotFound)?;
        let setup = app.fleet.setup();
        let passed = if round.is_handover() {
            let passed = app.store.passed_on(&round, &setup.pack).await?;
            let silences = match &round.passed_on {
                Some(_) => passed.silences,
                None => silences(app, reader, &round).await?,
            };
            Some(PassedOn { silences, ..passed })
        } else {
            None
        };
        let (answers, photos) =
            (app.store.answers_of_round(round.id).await?, app.store.photos_of_round(round.id).await?);
        Ok(Self { round, answers, photos, passed })
    }
}

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader, Path(id): Path<String>) -> Response {
    answer(&app, &reader, page(&app, &reader, &id)).await
}

async fn page(app: &App, reader: &Reader, id: &str) -> Result<String, PageError> {
    let case = Case::read(app, reader, id).await?;
    let on_duty = rounds::on_duty(&app.store, std::slice::from_ref(&case.round), app.clock.now()).await?;
    let open = Open::with(on_duty);
    let page = Scene::with(app, reader, Some(case.round.site.clone()), &open, |scene| Ok(build(scene, case)))?;
    page.html(reader.fragment)
}

fn build(scene: &Scene<'_>, case: Case) -> RoundPage {
    let Case { round, answers, photos, passed } = case;
    let caller = scene.reader.caller.at(&round.site);
    let may = caller.may(Need::Answer);
    let answerable = round.state.after(Deed::Answer, round.is_handover()).is_ok();
    let said: BTreeMap<&str, &AnswerRow> = answers.iter().map(|row| (row.line.as_str(), row)).collect();
    let has_photo = |id: &str| photos.iter().any(|(line, _)| line == id);
    let lacks = lacking(&round.lines, |id| said.get(id).map(|row| row.said), has_photo);
    let item = |line: &Line| {
        let photos: Vec<&PhotoRow> = photos.iter().filter(|(of, _)| **of == *line.id).map(|(_, photo)| photo).collect();
        let lacks = lacks.iter().any(|lack| lack.line == line.id);
        item(scene, (&round, line), said.get(&*line.id).copied(), (&photos, lacks))
    };
    let signed = |signature: &Option<Signature>| {
        signature.as_ref().map(|signature| Signed { by: signature.name.clone(), at: scene.when(signature.at) })
    };
    RoundPage {
        chrome: scene.chrome(Page::Round),
        action: format!("/checks/{}", round.id),
        clauses: scene.clauses(&round.clauses),
        items: round.lines.iter().map(item).collect(),
        key: new_id().to_string(),
        may_answer: may && answerable && caller.any(|role| stands_at(role, &round.post)),
        may_take: may
            && round.state == check::State::SignedOut
            && takes_over(&round).is_some_and(|post| caller.any(|role| stands_at(role, post))),
        asks_name: caller.person().is_none(),
        signed_out: signed(&round.signed_out),
        signed_in: signed(&round.signed_in),
        dispute: round.dispute.clone(),
        passed: passed.map(|passed| Passed {
            silences: passed.silences,
            refills: passed
                .refills
                .iter()
                .map(|refill| format!("{}{}{}", refill.device, scene.texts().label_gap, scene.text(&refill.title)))
                .collect(),
            tickets: passed.tickets,
        }),
        round: rounds::line(scene, &round),
    }
}

fn takes_over(round: &RoundRow) -> Option<&str> {
    round.takes_over.as_deref()
}

fn item(
    scene: &Scene<'_>,
    (round, line): (&RoundRow, &Line),
    said: Option<&AnswerRow>,
    (photos, lacks): (&[&PhotoRow], bool),
) -> ItemLine {
    // What the device says counts as it was when the answer came; until one came, as it is.
    let now = || word((scene.site(&round.site), scene.pack), line, scene.now);
    let (stated, readings) = match said {
        Some(row) => (row.stated, row.readings.clone()),
        None => now().map_or_else(Default::default, |word| (Some(word.stated), word.readings)),
    };
    ItemLine {
        id: line.id.to_string(),
        label: scene.text(&line.label),
        count: line.count,
        photo: match line.photo {
            Wanted::None => PhotoWanted::None,
            Wanted::Optional => PhotoWanted::Optional,
            Wanted::Required => PhotoWanted::Required,
        },
        said: said.map(|row| match row.said {
            Said::Pass => ItemSaid::Pass,
            Said::Fail => ItemSaid::Fail,
            Said::Count(there) => ItemSaid::Count(there),
            Said::NotApplicable => ItemSaid::NotApplicable,
        }),
        note: said.map(|row| row.note.clone()).unwrap_or_default(),
        stated: stated.map(|stated| match stated {
            Stated::Fine => ItemStated::Fine,
            Stated::Faulty => ItemStated::Faulty,
            Stated::Unknown => ItemStated::Unknown,
        }),
        readings: figures(scene, &round.site, line, &readings),
        flag: said.and_then(|row| row.flag).map(|flag| match flag {
            Flag::TickedUnknown => ItemFlag::TickedUnknown,
            Flag::TickedFaulty => ItemFlag::TickedFaulty,
            Flag::DeviceFine => ItemFlag::DeviceFine,
        }),
        ticket: said.and_then(|row| row.ticket.clone()),
        by: said.map(|row| Signed { by: row.by.clone(), at: scene.when(row.at) }),
        photos: report::shown(scene, photos.iter().copied()),
        lacking: lacks,
    }
}

/// What matters most of what a device said, in the order of its kind.
fn figures(scene: &Scene<'_>, site: &SiteId, line: &Line, readings: &Readings) -> Vec<Fact> {
    let device = line.device.as_ref().and_then(|id| scene.site(site)?.device(id));
    device.and_then(|device| device.watch.kind()).map_or_else(Vec::new, |kind| tiles::of_record(scene, kind, readings))
}

/// What keeps alerts of the round's site quiet at this moment, in words.
async fn silences(app: &App, reader: &Reader, round: &RoundRow) -> Result<Vec<String>, PageError> {
    let now = app.clock.now();
    let mut active: Vec<Restraint> = app.restraints.all().to_vec();
    active.retain(|held| held.state(now) == restraint::State::Active);
    let titles = restraints::titles(app, &active).await?;
    active.retain(|held| match &held.kind {
        restraint::Kind::UntilResolved(id) => titles.get(id).is_some_and(|alert| alert.site == round.site),
        kind => kind.matchers().is_some_and(|matchers| matchers.concern(round.site.as_str())),
    });
    let words = |scene: &Scene<'_>, held: &Restraint| {
        let row = restraints::shown(scene, held, &titles);
        let until = row.ends.map(|ends| format!("- {}", ends.full));
        [Some(row.what), until, Some(row.comment)].into_iter().flatten().collect::<Vec<_>>().join(" ").trim().to_owned()
    };
    let open = Open::default();
    Scene::with(app, reader, Some(round.site.clone()), &open, |scene| {
        Ok(active.iter().map(|held| words(scene, held)).collect())
    })
}

/// Answers, signs or disputes a round.
pub(super) async fn act(
    State(app): State<App>,
    reader: Reader,
    Path((id, verb)): Path<(String, String)>,
    request: Request,
) -> Response {
    match acted(&app, &reader, (&id, &verb), request).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

fn one<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.trim()).unwrap_or_default()
}

async fn acted(app: &App, reader: &Reader, (id, verb): (&str, &str), request: Request) -> Result<String, PageError> {
    let deed = Deed::from_text(verb).ok_or(PageError::NotFound)?;
    let answers = matches!(deed, Deed::Answer | Deed::SignOut);
    let Sent { typed: fields, photos, of } = Sent::<Fields>::read(app, request, answers).await?;
    let round = id.parse::<Uuid>().map_err(|_| PageError::NotFound)?;
    let round =
        app.store.round(round).await?.filter(|round| reader.caller.reaches(&round.site)).ok_or(PageError::NotFound)?;
    let back = format!("/checks/{}", round.id);
    let photos = match photos {
        Ok(photos) => photos,
        Err(error) => return Ok(noticed(&back, photo_mistake(error).name())),
    };
    let (key, note) = (one(&fields, "key").parse::<Uuid>(), short(one(&fields, "note"))?);
    let key = key.map_err(|_| PageError::BadRequest)?;
    if deed == Deed::Dispute && note.is_empty() {
        return Ok(noticed(&back, "empty"));
    }
    let by = reader.caller.signs(one(&fields, "by").chars().take(LONGEST_NAME).filter(|c| *c != '\0').collect());
    let (setup, now) = (app.fleet.setup(), app.clock.now());
    let answered = {
        let sites = app.fleet.read();
        let known = (sites.get(&round.site), &*setup.pack);
        answered(&round, &fields, (photos, &of), known, now)?
    };
    // The form sent twice is one upload; a browser that goes back to it and sends something else makes another one.
    let said: Vec<String> =
        fields.iter().filter(|(name, _)| name != "sent_at").map(|(name, value)| format!("{name}={value}")).collect();
    let actor = reader.caller.actor(&by);
    let silences = if deed == Deed::SignIn { silences(app, reader, &round).await? } else { Vec::new() };
    let takes_over = matches!(deed, Deed::SignIn | Deed::Dispute);
    let its_post = round.takes_over.as_deref().filter(|_| takes_over).unwrap_or(&round.post);
    let post = reader.caller.at(&round.site).post_for(its_post);
    let asked = Checking {
        id: Uuid::new_v5(&key, format!("{}\n{verb}\n{by}\n{}", round.id, said.join("\n")).as_bytes()),
        round: round.id,
        deed,
        answers: if answers { &answered } else { &[] },
        dispute: &note,
        silences: &silences,
        by: &by,
        post,
        actor: &actor,
        setup: &setup,
        sent_at: one(&fields, "sent_at").parse().ok().map(Timestamp::from_millis),
        at: now,
    };
    let notice = match app.store.check_round(asked).await {
        Ok(done) => {
            app.fleet.tell(Changed { site: done.round.site, device: None });
            if done.lacking.is_empty() { "saved" } else { "lacking" }
        }
        Err(RoundError::NotFound) => return Err(PageError::NotFound),
        Err(RoundError::TooManyPhotos) => PhotoMistake::TooMany.name(),
        Err(RoundError::Refused(Refusal::SamePerson)) => "two-people",
        Err(RoundError::Refused(_)) => "step",
        Err(RoundError::Store(error)) => return Err(error.into()),
    };
    Ok(noticed(&back, notice))
}

/// A remark, within its bounds.
fn short(text: &str) -> Result<String, PageError> {
    if text.chars().count() > LONGEST_NOTE || text.contains('\0') {
        return Err(PageError::BadRequest);
    }
    Ok(text.to_owned())
}

/// What a form answers. What cannot be looked at needs a reason: without one it is not answered.
fn answered<'a>(
    round: &'a RoundRow,
    fields: &Fields,
    (photos, of): (Vec<Photo>, &[String]),
    (site, pack): (Option<&Site>, &'a lobby_domain::pack::Pack),
    now: Timestamp,
) -> Result<Vec<Answered<'a>>, PageError> {
    let mut photos: Vec<(&str, Photo)> = of.iter().map(String::as_str).zip(photos).collect();
    let mut all = Vec::new();
    for line in &round.lines {
        let field = |what: &str| one(fields, &format!("{what}.{}", line.id));
        let note = short(field("note"))?;
        let said = match (field("said"), field("count")) {
            ("not_applicable", _) => Some(Said::NotApplicable).filter(|_| !note.is_empty()),
            ("", "") => None,
            ("", count) => Some(Said::Count(count.parse().map_err(|_| PageError::BadRequest)?)),
            (said, _) => Some(Said::from_text(said, None).ok_or(PageError::BadRequest)?),
        };
        let name = format!("photo.{}", line.id);
        let (its, others): (Vec<_>, Vec<_>) = photos.into_iter().partition(|(of, _)| **of == name);
        photos = others;
        let (stated, readings, kind) = word((site, pack), line, now)
            .map_or_else(Default::default, |word| (Some(word.stated), word.readings, word.kind));
        let photos = its.into_iter().map(|(_, photo)| photo).collect::<Vec<_>>();
        if said.is_some() || !photos.is_empty() {
            all.push(Answered { line: &line.id, said, note, stated, readings, kind, photos });
        }
    }
    Ok(all)
}
