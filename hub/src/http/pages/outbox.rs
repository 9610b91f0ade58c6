//! What is told to people outside the pages, and a test of each channel.

use std::collections::BTreeMap;

use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::Response,
};
use lobby_dashboards::{ChannelCard, ChannelState, DeliveryLine, DeliveryState, MessagesPage, OutboxPage, Page};
use lobby_domain::{alert::AlertId, notice::What};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    App, Html, Open, PageError, Path, Reader, Scene,
    act::{LONGEST_NAME, filled},
    alerts::further,
    answer::{self, refuse, see},
    restrain::{back, text},
};
use crate::{
    http::api::notifications::{DEAD_FOR, held, standing},
    notify::{Channel, TestError},
    store::{AlertRow, ChannelRow, Cursor, DeliveryFilter, DeliveryRow, Mailbox, ResendError, masked, person_of},
};

/// Notifications of one page.
const ROWS: i64 = 50;
/// Notifications of one alert that are shown: more than any alert has.
const MOST_OF_ALERT: i64 = 500;

/// The page.
pub(super) async fn show(State(app): State<App>, reader: Reader) -> Response {
    answer::answer(&app, &reader, page(&app, &reader)).await
}

/// What was sent of an alert, channel by channel.
pub(super) async fn of_alert(State(app): State<App>, reader: Reader, Path(id): Path<String>) -> Response {
    answer::answer(&app, &reader, messages(&app, &reader, &id)).await
}

async fn messages(app: &App, reader: &Reader, id: &str) -> Result<String, PageError> {
    let id = AlertId(id.parse().map_err(|_| PageError::NotFound)?);
    let alert = app.store.alert(id).await?.ok_or(PageError::NotFound)?;
    let filter = DeliveryFilter { alert: Some(id), ..DeliveryFilter::default() };
    let (rows, _) = app.store.deliveries(&filter, None, MOST_OF_ALERT).await??;
    let held = held(app, &rows).await?;
    let mailboxes = app.store.mailboxes_by_channel().await?;
    let site = alert.site.clone();
    let alerts = BTreeMap::from([(id, alert)]);
    let nothing = Open::default();
    let page = Scene::with(app, reader, Some(site), &nothing, |scene| {
        let told = |row: &DeliveryRow| DeliveryLine {
            channel: channel_word(reader, &mailboxes, &row.channel, scene.texts().separator),
            ..line(scene, row, &alerts, &held)
        };
        let deliveries = rows.iter().map(told).collect();
        Ok(MessagesPage { chrome: scene.chrome(Page::Alerts), alert: format!("/alerts/{id}"), deliveries })
    })?;
    page.html(reader.fragment)
}

async fn page(app: &App, reader: &Reader) -> Result<String, PageError> {
    let site = reader.site()?;
    let filter = reader.asked.state.as_deref().and_then(DeliveryState::named);
    let wanted = DeliveryFilter {
        state: filter.map(|state| state.name().to_owned()),
        site: site.clone(),
        ..DeliveryFilter::default()
    };
    let after = reader.asked.after.as_deref().map(str::parse::<Cursor>).transpose()?;
    let (rows, next) = app.store.deliveries(&wanted, after.as_ref(), ROWS).await??;
    let held = held(app, &rows).await?;
    let mut alerts = BTreeMap::new();
    for row in &rows {
        if !alerts.contains_key(&row.alert)
            && let Some(alert) = app.store.alert(row.alert).await?
        {
            alerts.insert(row.alert, alert);
        }
    }
    let (settings, channels) = (app.notify.settings(), app.store.channels(app.clock.now() - DEAD_FOR).await?);
    let mailboxes = app.store.mailboxes_by_channel().await?;
    let nothing = Open::default();
    let page = Scene::with(app, reader, site, &nothing, |scene| {
        let card = |channel: &std::sync::Arc<Channel>| {
            card(scene, channel, channels.iter().find(|row| row.name == channel.name.as_str()))
        };
        Ok(OutboxPage {
            channels: settings.channels.values().map(card).collect(),
            filter,
            deliveries: rows
                .iter()
                .map(|row| {
                    let is_there =
                        settings.channels.contains_key(row.channel.as_str()) || mailboxes.contains_key(&row.channel);
                    let resend = row.message.filter(|_| is_there && row.state == DeliveryState::Dead.name());
                    let channel = channel_word(reader, &mailboxes, &row.channel, scene.texts().separator);
                    let line = line(scene, row, &alerts, &held);
                    DeliveryLine { channel, resend: resend.map(|id| id.to_string()), ..line }
                })
                .collect(),
            next: next.map(|next| further(reader, &next)),
            chrome: scene.chrome(Page::Outbox),
        })
    })?;
    page.html(reader.fragment)
}

/// What a channel is called. That of a person goes by their name, with their address for themselves and for administrators, and as much of
/// it as anybody may see for others.
pub(super) fn channel_word(
    reader: &Reader,
    mailboxes: &BTreeMap<String, Mailbox>,
    channel: &str,
    separator: &str,
) -> String {
    let Some(person) = person_of(channel) else { return channel.to_owned() };
    let Some(one) = mailboxes.get(channel) else { return person.to_owned() };
    let is_admin = reader.caller.is_admin();
    let may_see = match reader.caller.session() {
        Some((reader, _)) => reader.id == person || is_admin,
        None => false,
    };
    let address = if may_see { one.address.clone() } else { masked(&one.address) };
    format!("{} {separator} {address}", one.name)
}

fn card(scene: &Scene<'_>, channel: &Channel, row: Option<&ChannelRow>) -> ChannelCard {
    let posts: Vec<String> = channel.posts.iter().map(|post| scene.post(post)).collect();
    ChannelCard {
        name: channel.name.to_string(),
        kind: channel.target.kind(),
        posts: posts.join(scene.texts().list_comma),
        state: match standing(row, scene.now) {
            "disabled" => ChannelState::Disabled,
            "paused" => ChannelState::Paused,
            "ok" => ChannelState::Ok,
            "failing" => ChannelState::Failing,
            _ => ChannelState::New,
        },
        waiting: row.map_or(0, |row| row.waiting),
        answered: row.and_then(|row| row.answered_at).map(|at| scene.when(at)),
        answer: row.map(|row| row.answer.clone()).unwrap_or_default(),
    }
}

fn line(
    scene: &Scene<'_>,
    row: &DeliveryRow,
    alerts: &BTreeMap<AlertId, AlertRow>,
    held: &[(AlertId, &'static str)],
) -> DeliveryLine {
    let (t, m) = (scene.texts(), scene.reader.lang.personal_texts());
    let what = match What::of(&row.event) {
        What::Raised => t.told_raised,
        What::Unmuted(_) => t.told_unmuted,
        What::Again => t.told_again,
        What::Unstable => t.told_unstable,
        What::Undelivered => t.told_undelivered,
        What::Acknowledged => t.told_acknowledged,
        What::Rejected => t.told_rejected,
        What::Cleared => t.told_cleared,
        What::Escalated => t.told_escalated,
        What::Assigned => t.told_assigned,
        What::Other => t.told_other,
    };
    let about = alerts.get(&row.alert).map(|alert| {
        format!("{} {} {}", scene.subject(&alert.site, &alert.subject).name, t.separator, scene.text(&alert.title))
    });
    let state = DeliveryState::named(&row.state).unwrap_or(DeliveryState::Queued);
    let quiet = held.iter().find(|(alert, _)| *alert == row.alert).map(|(_, by)| *by);
    let note = match (state, quiet, row.why.as_str()) {
        (DeliveryState::Queued, Some("silence"), _) => t.delivery_held_silence,
        (DeliveryState::Queued, Some("maintenance"), _) => t.delivery_held_maintenance,
        (DeliveryState::Queued, Some(_), _) => t.delivery_held_inhibition,
        (_, _, "cleared" | "over") => t.delivery_why_cleared,
        (_, _, "acknowledged") => t.delivery_why_acknowledged,
        (_, _, "needless") => t.delivery_why_needless,
        (_, _, "unwanted") => m.why_unwanted,
        (_, _, "moved") => m.why_moved,
        (_, _, "left") => m.why_left,
        (_, _, "channel_removed") => t.delivery_why_removed,
        _ => row.answer.as_str(),
    };
    DeliveryLine {
        state,
        what: format!("{} {} {what}", about.unwrap_or_else(|| row.alert.to_string()), t.separator),
        post: scene.post(&row.post),
        channel: row.channel.clone(),
        created: scene.when(row.created_at),
        attempts: row.attempts,
        next: row.next_at.map(|at| scene.when(at)),
        note: note.to_owned(),
        reference: row.message.map(|id| id.to_string().chars().take(8).collect()),
        resend: None,
    }
}

/// Where to go on after a test.
#[derive(Debug, Deserialize)]
pub(super) struct Test {
    back: Option<String>,
}

/// Sends a test message, and goes back to the page, where the channel shows what its receiver said.
pub(super) async fn test(
    State(app): State<App>,
    reader: Reader,
    Path(channel): Path<String>,
    form: Result<Form<Test>, FormRejection>,
) -> Response {
    match tested(&app, &reader, &channel, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn tested(
    app: &App,
    reader: &Reader,
    channel: &str,
    form: Result<Form<Test>, FormRejection>,
) -> Result<String, PageError> {
    let Form(test) = filled(form)?;
    let notice = match app.notify.test(channel, &reader.caller.actor("")).await {
        Ok(tested) if tested.taken => "test-taken",
        Ok(_) => "test-refused",
        Err(TestError::TooSoon(_)) => "test-soon",
        Err(TestError::NotFound) => return Err(PageError::NotFound),
        Err(TestError::Store(error)) => return Err(error.into()),
    };
    Ok(back(test.back, "/outbox", notice))
}

/// Who wants a message to be sent again, and where to go on.
#[derive(Debug, Deserialize)]
pub(super) struct Resend {
    #[serde(default)]
    by: String,
    back: Option<String>,
}

/// Sends a message again that will not be taken otherwise.
pub(super) async fn resend(
    State(app): State<App>,
    reader: Reader,
    Path(id): Path<String>,
    form: Result<Form<Resend>, FormRejection>,
) -> Response {
    match resent(&app, &reader, &id, form).await {
        Ok(place) => see(&place),
        Err(error) => refuse(&app, &reader, error),
    }
}

async fn resent(
    app: &App,
    reader: &Reader,
    id: &str,
    form: Result<Form<Resend>, FormRejection>,
) -> Result<String, PageError> {
    let Form(resend) = filled(form)?;
    let id: Uuid = id.parse().map_err(|_| PageError::NotFound)?;
    let by = text(&reader.caller.signs(resend.by), LONGEST_NAME)?;
    let notice = match app.store.resend(id, &reader.caller.actor(&by), app.clock.now()).await {
        Ok(_) => "resent",
        Err(ResendError::NotDead) => "not-dead",
        Err(ResendError::NoChannel(_)) => "no-channel",
        Err(ResendError::NotFound) => return Err(PageError::NotFound),
        Err(ResendError::Store(error)) => return Err(error.into()),
    };
    Ok(back(resend.back, "/outbox", notice))
}
