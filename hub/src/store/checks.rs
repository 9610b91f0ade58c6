//! What people do with rounds: answers, signatures, and the tickets of what fails, each upload in one transaction.

use std::collections::BTreeMap;

use lobby_domain::{
    alert::{AlertId, Subject},
    check::{self, Deed, Flag, Lack, Line, Readings, Refusal, Said, State, Stated, lacking},
    kind::Kind,
    label::Label,
    report::Source,
    time::Timestamp,
};
use uuid::Uuid;

use super::{PhotoRow, ReportRow, Reporting, RoundRow, Shown, Stage, Store, StoreError, Tx, on, statements};
use crate::{
    audit::{Actor, Change},
    fleet::Setup,
    photo::Photo,
};

/// What somebody says of a line, and what the hub knew of its device then.
#[derive(Debug, Clone)]
pub struct Answered<'a> {
    /// The line.
    pub line: &'a str,
    /// What is said of it; nothing if only a photo is sent.
    pub said: Option<Said>,
    /// The reason, or a remark.
    pub note: String,
    /// What the device said itself; nothing if it is about none.
    pub stated: Option<Stated>,
    /// The same in figures.
    pub readings: Readings,
    /// The device's kind, which says who repairs it.
    pub kind: Option<&'a Kind>,
    /// The photos of it.
    pub photos: Vec<Photo>,
}

/// What somebody does with a round.
#[derive(Debug, Clone, Copy)]
pub struct Checking<'a> {
    /// Tells it from any other: what is sent twice is done once.
    pub id: Uuid,
    /// The round.
    pub round: Uuid,
    /// What is done.
    pub deed: Deed,
    /// The answers; of no meaning where somebody takes over.
    pub answers: &'a [Answered<'a>],
    /// With what whoever takes over does not agree.
    pub dispute: &'a str,
    /// What keeps alerts quiet, in words, which passes on.
    pub silences: &'a [String],
    /// Who does it, by name.
    pub by: &'a str,
    /// Their post, as reports name it.
    pub post: &'a str,
    /// Who does it.
    pub actor: &'a Actor,
    /// The standards.
    pub setup: &'a Setup,
    /// By the clock of the sender's device, if it said so.
    pub sent_at: Option<Timestamp>,
    /// Now.
    pub at: Timestamp,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The round as it is now.
    pub round: RoundRow,
    /// What is lacking, where somebody would sign: the answers are kept, and the round is not signed.
    pub lacking: Vec<Lack>,
    /// The tickets that failed items opened or joined.
    pub tickets: Vec<String>,
}

/// The newest answer of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerRow {
    /// The line.
    pub line: String,
    /// What is said of it.
    pub said: Said,
    /// The reason, or a remark.
    pub note: String,
    /// What the device said at that moment.
    pub stated: Option<Stated>,
    /// The same in figures.
    pub readings: Readings,
    /// Why it is to be looked at again.
    pub flag: Option<Flag>,
    /// The ticket that it opened or joined.
    pub ticket: Option<String>,
    /// Who said so.
    pub by: String,
    /// By the clock of the sender's device, if it said so.
    pub sent_at: Option<Timestamp>,
    /// When it came.
    pub at: Timestamp,
}

/// Why something was not done with a round.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// There is no such round.
    #[error("there is no such round")]
    NotFound,
    /// A line has as many photos as it can have.
    #[error("an item of a round has at most 6 photos")]
    TooManyPhotos,
    /// It is no step of the round now.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Raw = (
    String,
    String,
    Option<i64>,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    Option<i64>,
    i64,
);

statements! {
    // Two uploads of one round come one after the other.
    HOLD = "UPDATE check_round SET version = version WHERE id = $1";
    SEEN = "SELECT COUNT(*) > 0 FROM check_upload WHERE id = $1";
    UPLOAD = "INSERT INTO check_upload (id, round, deed, sender, sent_at, at) VALUES ($1, $2, $3, $4, $5, $6)";
    ANSWER = "INSERT INTO check_answer (round, line, nth, upload, said, count, note, stated, readings, flag, ticket)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    ANSWERS = "SELECT a.line, a.said, a.count, a.note, a.stated, a.readings, a.flag, a.ticket, u.sender, u.sent_at, u.at
        FROM check_answer a JOIN check_upload u ON u.id = a.upload
        WHERE a.round = $1 AND a.nth = (SELECT MAX(b.nth) FROM check_answer b WHERE b.round = a.round AND b.line = a.line)
        ORDER BY a.line";
    MOVE = "UPDATE check_round SET state = $2, dispute = $3, version = version + 1 WHERE id = $1";
    SIGN_OUT = "UPDATE check_round SET out_by = $2, out_name = $3, out_at = $4 WHERE id = $1";
    SIGN_IN = "UPDATE check_round SET in_by = $2, in_name = $3, in_at = $4, passed_on = $5 WHERE id = $1";
}

fn answer(round: Uuid, raw: Raw) -> Result<AnswerRow, StoreError> {
    let (line, said, count, note, stated, readings, flag, ticket, by, sent_at, at) = raw;
    let bad =
        |what: &str| StoreError::Inconsistent { table: "check_answer", id: round.to_string(), what: what.to_owned() };
    let count = count.map(u32::try_from).transpose().map_err(|_| bad("count"))?;
    let stated = stated.map(|text| Stated::from_text(&text).ok_or_else(|| bad(&text))).transpose()?;
    Ok(AnswerRow {
        said: Said::from_text(&said, count).ok_or_else(|| bad(&said))?,
        stated,
        readings: readings
            .map_or_else(|| Ok(Readings::new()), |text| serde_json::from_str(&text).map_err(|_| bad("readings")))?,
        flag: flag.map(|text| Flag::from_text(&text).ok_or_else(|| bad(&text))).transpose()?,
        line,
        note,
        ticket,
        by,
        sent_at: sent_at.map(Timestamp::from_millis),
        at: Timestamp::from_millis(at),
    })
}

/// As it stands in the audit log.
const fn action(deed: Deed) -> &'static str {
    match deed {
        Deed::Answer => "round.answer",
        Deed::SignOut => "round.sign_out",
        Deed::SignIn => "round.sign_in",
        Deed::Dispute => "round.dispute",
    }
}

impl Tx {
    async fn answers(&mut self, round: Uuid) -> Result<Vec<AnswerRow>, StoreError> {
        let raw: Vec<Raw> = on!(self, "read a round's answers", conn => sqlx::query_as(ANSWERS).bind(round).fetch_all(conn)
            .await)?;
        raw.into_iter().map(|raw| answer(round, raw)).collect()
    }

    /// Opens or joins the ticket of a failed line.
    async fn fail_line(
        &mut self,
        round: &RoundRow,
        line: &Line,
        answered: &Answered<'_>,
        asked: &Checking<'_>,
    ) -> Result<Option<String>, StoreError> {
        let Checking { setup, at, .. } = *asked;
        let clauses: Vec<Box<str>> = round.clauses.iter().map(|id| id.as_str().into()).collect();
        let about = (answered.kind, &*round.post);
        let rule = check::failed_rule(&setup.pack, &round.checklist, &clauses, line, about).into();
        let id = Uuid::new_v5(&asked.id, line.id.as_bytes());
        let counted = match (answered.said.and_then(Said::count), line.count) {
            (Some(there), Some(expected)) => format!("{there}/{expected} "),
            _ => String::new(),
        };
        let note = format!("{counted}{}", answered.note).trim().to_owned();
        let said = |head: &str, gap: &str| if note.is_empty() { head.to_owned() } else { format!("{head}{gap}{note}") };
        let evidence = Label::new(
            said(&format!("点检：{}", round.label.zh), "："),
            said(&format!("Said in a round: {}", round.label.en), ": "),
        );
        let report = ReportRow {
            id,
            site: round.site.clone(),
            subject: line.device.clone().map_or(Subject::Site, Subject::Device),
            thing: if line.device.is_some() { String::new() } else { line.label.zh.to_string() },
            what: check::FAILED,
            source: Source::Person,
            reporter: asked.by.to_owned(),
            post: asked.post.to_owned(),
            phone: String::new(),
            symptoms: Vec::new(),
            words: line.label.clone(),
            note: note.clone(),
            at,
            alert: AlertId::of_report(id),
            ticket: None,
        };
        let zone = setup.zone_of(&round.site);
        // Those of this upload are kept by now, and others may have come before it, each on its own.
        let photos = &self.photos_of_line(round.id, &line.id).await?;
        let reporting = Reporting {
            report: &report,
            rule: &rule,
            evidence: &evidence,
            zone: &zone,
            setup,
            actor: asked.actor,
            photos,
        };
        // Its id is of this upload alone, whose round is held.
        Ok(self.place_report(reporting).await?.and_then(|row| row.ticket))
    }

    /// Writes what is answered anew. Returns the tickets of what fails.
    async fn answer_lines(&mut self, round: &RoundRow, asked: &Checking<'_>) -> Result<Vec<String>, RoundError> {
        let before = self.answers(round.id).await?;
        let mut tickets = Vec::new();
        for answered in asked.answers {
            let Some(line) = round.lines.iter().find(|line| *line.id == *answered.line) else { continue };
            let shown = Shown { stage: Stage::Report, by: asked.by, at: asked.at };
            for photo in &answered.photos {
                if !self.keep_round_photo(&round.site, (round.id, &line.id), photo, shown).await? {
                    return Err(RoundError::TooManyPhotos);
                }
            }
            let Some(said) = answered.said.filter(|said| said.fits(line)) else { continue };
            let same = |row: &&AnswerRow| row.line == *line.id && row.said == said && row.note == answered.note;
            if before.iter().any(|row| same(&row)) {
                continue;
            }
            let ticket = if said.is_failure(line) { self.fail_line(round, line, answered, asked).await? } else { None };
            let flag = answered.stated.and_then(|stated| said.flag(stated));
            let readings = (!answered.readings.is_empty())
                .then(|| serde_json::to_string(&answered.readings).expect("readings are plain data"));
            on!(self, "write an answer", conn => sqlx::query(ANSWER).bind(round.id).bind(&*line.id).bind(round.version + 1)
                .bind(asked.id).bind(said.as_str()).bind(said.count().map(i64::from)).bind(&answered.note)
                .bind(answered.stated.map(Stated::as_str)).bind(&readings).bind(flag.map(Flag::as_str)).bind(&ticket)
                .execute(conn).await.map(drop))?;
            tickets.extend(ticket);
        }
        Ok(tickets)
    }

    async fn lacking_of(&mut self, round: &RoundRow) -> Result<Vec<Lack>, StoreError> {
        let said: BTreeMap<String, Said> =
            self.answers(round.id).await?.into_iter().map(|row| (row.line, row.said)).collect();
        let photos = self.round_photos(round.id).await?;
        Ok(lacking(&round.lines, |id| said.get(id).copied(), |id| photos.iter().any(|(line, _)| line == id)))
    }

    /// Signs as who takes over: what is open passes on, and is written down with the handover.
    async fn sign_in(&mut self, round: &RoundRow, asked: &Checking<'_>) -> Result<(), RoundError> {
        let out = round.signed_out.as_ref();
        let same = |id: &str, name: &str| {
            if id.is_empty() { asked.actor.id.is_empty() && name == asked.by } else { id == asked.actor.id }
        };
        if out.is_some_and(|out| same(&out.id, &out.name)) {
            return Err(Refusal::SamePerson.into());
        }
        let mut passed = self.passing_on(round, &asked.setup.pack).await?;
        passed.silences = asked.silences.to_vec();
        let passed = serde_json::to_string(&passed).expect("what passes on is plain data");
        on!(self, "sign as who takes over", conn => sqlx::query(SIGN_IN).bind(round.id).bind(&asked.actor.id).bind(asked.by)
            .bind(asked.at.millis()).bind(&passed).execute(conn).await.map(drop))?;
        Ok(())
    }
}

impl Store {
    /// Answers, signs or disputes a round, with the tickets of what fails, in one transaction. The same again changes nothing. Where
    /// something is lacking, the answers are kept and the round is not signed.
    pub async fn check_round(&self, asked: Checking<'_>) -> Result<Checked, RoundError> {
        let mut tx = self.begin().await?;
        on!(&mut tx, "hold a round", conn => sqlx::query(HOLD).bind(asked.round).execute(conn).await.map(drop))?;
        let round = tx.round(asked.round).await?.ok_or(RoundError::NotFound)?;
        let seen: bool =
            on!(&mut tx, "look for an upload", conn => sqlx::query_scalar(SEEN).bind(asked.id).fetch_one(conn).await)?;
        if seen {
            let lacking = if asked.deed == Deed::SignOut && round.signed_out.is_none() {
                tx.lacking_of(&round).await?
            } else {
                Vec::new()
            };
            return Ok(Checked { round, lacking, tickets: Vec::new() });
        }
        let handover = round.is_handover();
        let mut state = round.state.after(asked.deed, handover)?;
        on!(&mut tx, "write an upload", conn => sqlx::query(UPLOAD).bind(asked.id).bind(round.id).bind(action(asked.deed))
            .bind(asked.by).bind(asked.sent_at.map(Timestamp::millis)).bind(asked.at.millis()).execute(conn).await.map(drop))?;
        let (mut tickets, mut lacking) = (Vec::new(), Vec::new());
        match asked.deed {
            Deed::Answer => tickets = tx.answer_lines(&round, &asked).await?,
            Deed::SignOut => {
                tickets = tx.answer_lines(&round, &asked).await?;
                lacking = tx.lacking_of(&round).await?;
                if lacking.is_empty() {
                    on!(&mut tx, "sign a round", conn => sqlx::query(SIGN_OUT).bind(round.id).bind(&asked.actor.id)
                        .bind(asked.by).bind(asked.at.millis()).execute(conn).await.map(drop))?;
                } else {
                    state = if round.state == State::Open { State::InProgress } else { round.state };
                }
            }
            Deed::SignIn => tx.sign_in(&round, &asked).await?,
            Deed::Dispute => {}
        }
        let dispute = if asked.deed == Deed::Dispute { asked.dispute } else { &round.dispute };
        on!(&mut tx, "move a round", conn => sqlx::query(MOVE).bind(round.id).bind(state.as_str()).bind(dispute).execute(conn)
            .await.map(drop))?;
        if state.is_done(handover) {
            let over = round.missed_is_over(&asked.setup.pack, asked.by, asked.at);
            tx.clear_alert(&round.site, &over).await?;
        }
        let now = tx.round(round.id).await?.ok_or(RoundError::NotFound)?;
        let told =
            Change::new(asked.actor, asked.at, action(asked.deed), round.id.to_string()).of_site(Some(&round.site));
        let words = [round.checklist.as_str(), &round.day, state.as_str()]
            .into_iter()
            .chain(tickets.iter().map(String::as_str));
        let after = words.collect::<Vec<_>>().join(" ");
        tx.commit_with(&told.before(round.state.as_str()).after(after)).await?;
        Ok(Checked { round: now, lacking, tickets })
    }

    /// The newest answer of each line of a round.
    pub async fn answers_of_round(&self, round: Uuid) -> Result<Vec<AnswerRow>, StoreError> {
        self.read().await?.answers(round).await
    }

    /// The photos of a round with their lines, the oldest first.
    pub async fn photos_of_round(&self, round: Uuid) -> Result<Vec<(String, PhotoRow)>, StoreError> {
        self.read().await?.round_photos(round).await
    }
}
