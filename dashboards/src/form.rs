//! The repair form (报修单) on paper: one page that holds all of a ticket, with room to write where the system knows nothing.

use askama::Template;
use lobby_domain::ticket::arrival::Arrival;

use crate::{
    chrome::Choice,
    fit::Fit,
    qr,
    sheet::{Paper, Sheet, Ways},
    texts::{Texts, fill},
    ticket::{Evidence, Priority, Repair, TicketStep, TimelineEntry, WaitingFor},
    tile::DeviceRef,
    time::When,
};

/// How many materials have a line of their own.
const MATERIALS: usize = 3;

/// The most rules whose evidence is printed.
const MOST_EVIDENCE: usize = 2;

/// How many copies are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Copies {
    /// One without a mark.
    #[default]
    One,
    /// 三联: for the file, engineering and the reporting post.
    Three,
}

impl Copies {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::One, Self::Three];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Three => "3",
        }
    }

    fn word(self, t: &Texts) -> &'static str {
        match self {
            Self::One => t.copies_one,
            Self::Three => t.copies_three,
        }
    }

    /// The mark of each copy.
    fn marks(self, t: &Texts) -> Vec<Option<&'static str>> {
        match self {
            Self::One => vec![None],
            Self::Three => vec![Some(t.copy_file), Some(t.copy_engineering), Some(t.copy_post)],
        }
    }
}

/// The post's word that it works again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// When it was given.
    pub at: When,
    /// Who gave it.
    pub by: Option<String>,
    /// In their words.
    pub remarks: Option<String>,
}

impl Acceptance {
    fn words(&self) -> String {
        let parts = [Some(self.at.minute()), self.by.as_deref(), self.remarks.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// `/t/{no}/print`: a ticket on paper.
#[derive(Debug, Clone, Template)]
#[template(path = "form.html")]
pub struct RepairForm {
    /// What surrounds it.
    pub sheet: Sheet,
    /// Its size.
    pub paper: Paper,
    /// How many copies.
    pub copies: Copies,
    /// The ticket's number.
    pub no: String,
    /// Tells this state of the ticket from any other; see the ticket's page.
    pub check: String,
    /// How far the ticket is.
    pub step: TicketStep,
    /// What is waited for; meanwhile no time limit runs.
    pub waiting_for: Option<WaitingFor>,
    /// How urgent it is.
    pub priority: Priority,
    /// What people call its site.
    pub site_name: String,
    /// The post that reported it and has to confirm.
    pub post: String,
    /// Who reported it.
    pub reporter: String,
    /// When.
    pub reported_at: When,
    /// The device, if it is about one.
    pub device: Option<DeviceRef>,
    /// The code on the device's label.
    pub code: Option<String>,
    /// What is wrong.
    pub title: String,
    /// The symptom in the reporter's words.
    pub description: Option<String>,
    /// What the rules saw.
    pub evidence: Vec<Evidence>,
    /// The department that works it.
    pub department: String,
    /// Who took it.
    pub owner: Option<String>,
    /// When it was taken.
    pub taken_at: Option<When>,
    /// By when it must be taken.
    pub respond_by: Option<When>,
    /// By when somebody must be there.
    pub arrive_by: Option<When>,
    /// By when it must work again.
    pub complete_by: Option<When>,
    /// When somebody was there.
    pub arrived_at: Option<When>,
    /// How that was shown; nothing where it was not asked for.
    pub arrival: Option<Arrival>,
    /// When the work was done.
    pub finished_at: Option<When>,
    /// What was said of the repair.
    pub repair: Option<Repair>,
    /// What those who repair have noted, the oldest first.
    pub work: Vec<TimelineEntry>,
    /// The reporting post's word, once it is given.
    pub acceptance: Option<Acceptance>,
}

/// One box of the form; an empty one is filled in by hand.
struct Cell {
    label: &'static str,
    value: String,
    /// How many twelfths of the form it is wide.
    span: u32,
}

/// What a rule saw, cut to its room.
struct Proof {
    rule: String,
    clauses: String,
    explanation: String,
    seen: String,
}

/// The form with every text cut to its room.
struct Laid {
    site: String,
    no: String,
    report: Vec<Cell>,
    title: String,
    description: String,
    evidence: Vec<Proof>,
    more: Option<String>,
    dispatch: Vec<Cell>,
    cause: String,
    work: String,
    materials: Vec<(String, String)>,
    total: String,
    times: Vec<Cell>,
    accepted: bool,
    remarks: String,
    address: String,
    cut: bool,
}

/// How wide a box is in widths of a character, less its edges.
const fn room(span: u32) -> u32 {
    span * 4 - 1
}

impl RepairForm {
    /// The whole document.
    pub fn render(&self) -> Result<String, askama::Error> {
        askama::Template::render(self)
    }

    /// Where its QR code leads.
    fn address(&self) -> String {
        format!("{}/t/{}", self.sheet.base, self.no)
    }

    fn qr(&self) -> Result<String, askama::Error> {
        qr::svg(&self.address(), self.sheet.t().form_scan)
    }

    /// Who signs.
    fn signers(&self) -> [&'static str; 3] {
        let t = self.sheet.t();
        [t.form_sign_reporter, t.form_sign_engineer, t.form_sign_supervisor]
    }

    /// Every priority, and whether it is the ticket's.
    fn priorities(&self) -> [(&'static str, bool); 3] {
        Priority::ALL.map(|one| (one.word(self.sheet.t()), one == self.priority))
    }

    fn laid(&self) -> Laid {
        let (t, mut fit) = (self.sheet.t(), Fit::default());
        let report = self.report(&mut fit);
        let title = fit.line(&self.title, room(12) - 6);
        let description = fit.lines(self.description.as_deref().unwrap_or_default(), room(12), 3);
        let evidence = self.evidence.iter().take(MOST_EVIDENCE).map(|proof| self.proof(&mut fit, proof)).collect();
        let more = self.evidence.len().saturating_sub(MOST_EVIDENCE);
        let dispatch = self.dispatch(&mut fit);
        let repair = self.repair.as_ref();
        let cause = fit.lines(repair.and_then(|repair| repair.cause.as_deref()).unwrap_or_default(), room(12), 2);
        let work: Vec<String> = self.work.iter().map(|entry| self.worked(entry)).collect();
        let remarks = self.acceptance.as_ref().map(Acceptance::words).unwrap_or_default();
        let time = |at: &Option<When>| at.as_ref().map(|at| at.minute().to_owned()).unwrap_or_default();
        Laid {
            site: fit.line(&self.site_name, 24),
            no: fit.line(&self.no, 14),
            report,
            title,
            description,
            evidence,
            more: (more > 0).then(|| fill(t.form_more_evidence, &more.to_string())),
            dispatch,
            cause,
            materials: self.materials(&mut fit),
            total: repair.and_then(|repair| repair.cost.clone()).unwrap_or_default(),
            work: fit.lines(&work.join("\n"), room(12), 4),
            times: vec![
                Cell { label: t.form_arrived, value: self.arrived(&mut fit), span: 5 },
                Cell { label: t.form_finished, value: time(&self.finished_at), span: 4 },
                Cell { label: t.form_working_time, value: String::new(), span: 3 },
            ],
            accepted: self.acceptance.is_some(),
            remarks: fit.lines(&remarks, room(9), 2),
            address: fit.line(&self.address(), 30),
            cut: fit.cut,
        }
    }

    /// When whoever repaired was there, and whether the label shows it.
    fn arrived(&self, fit: &mut Fit) -> String {
        let (t, words) = (self.sheet.t(), self.sheet.lang.arrival_texts());
        let Some(at) = &self.arrived_at else { return String::new() };
        let proof = self.arrival.map(|arrival| format!(" {} {}", t.separator, words.on_paper(arrival)));
        fit.line(&format!("{}{}", at.minute(), proof.unwrap_or_default()), room(5))
    }

    fn report(&self, fit: &mut Fit) -> Vec<Cell> {
        let t = self.sheet.t();
        let device = self.device.as_ref();
        let stands = device.map(|device| device.stands(t.separator)).unwrap_or_default();
        let code = match (&self.code, device) {
            (Some(code), Some(device)) => format!("{code}\n{}", device.code),
            (_, Some(device)) => device.code.to_string(),
            (_, None) => String::new(),
        };
        let mut cell =
            |label, value: &str, span, lines| Cell { label, value: fit.lines(value, room(span), lines), span };
        vec![
            cell(t.form_post, &self.post, 4, 1),
            cell(t.ticket_reporter, &self.reporter, 4, 1),
            cell(t.ticket_reported_at, self.reported_at.minute(), 4, 1),
            cell(t.device, device.map_or("", |device| &device.name), 5, 2),
            cell(t.device_code, &code, 3, 2),
            cell(t.ticket_place, if stands.is_empty() { &self.site_name } else { &stands }, 4, 2),
        ]
    }

    fn proof(&self, fit: &mut Fit, proof: &Evidence) -> Proof {
        let t = self.sheet.t();
        let clauses = proof.clauses.iter().map(|clause| clause.id.as_str()).collect::<Vec<_>>();
        let clauses = fit.line(&clauses.join(" "), 14);
        let last = proof
            .last_seen
            .as_ref()
            .map_or_else(|| t.form_still_there.to_owned(), |last| format!("{} {}", t.evidence_last, last.minute()));
        let seen = format!("{} {} {} {last}", t.evidence_first, proof.first_seen.minute(), t.separator);
        Proof {
            rule: fit.line(&proof.rule, room(12) - 16),
            clauses,
            explanation: fit.lines(&proof.explanation, room(12), 2),
            seen,
        }
    }

    fn dispatch(&self, fit: &mut Fit) -> Vec<Cell> {
        let t = self.sheet.t();
        let time = |at: &Option<When>| at.as_ref().map(|at| at.minute().to_owned()).unwrap_or_default();
        let mut cell = |label, value: &str| Cell { label, value: fit.line(value, room(4)), span: 4 };
        vec![
            cell(t.form_department, &self.department),
            cell(t.form_taken_by, self.owner.as_deref().unwrap_or_default()),
            cell(t.form_taken_at, &time(&self.taken_at)),
            cell(t.deadline_respond, &time(&self.respond_by)),
            cell(t.deadline_arrive, &time(&self.arrive_by)),
            cell(t.deadline_complete, &time(&self.complete_by)),
        ]
    }

    /// What was used, with its quantities. What has no line of its own shares the last one.
    fn materials(&self, fit: &mut Fit) -> Vec<(String, String)> {
        let used = self.repair.as_ref().map(|repair| &*repair.materials).unwrap_or_default();
        let alone = if used.len() > MATERIALS { MATERIALS - 1 } else { used.len() };
        let mut lines: Vec<_> = used[..alone]
            .iter()
            .map(|(name, quantity)| {
                (fit.line(name, room(5)), fit.line(quantity.as_deref().unwrap_or_default(), room(2)))
            })
            .collect();
        let rest = used[alone..].iter().map(|(name, quantity)| Repair::material(name, quantity.as_deref()));
        let rest = rest.collect::<Vec<_>>().join(self.sheet.t().list_comma);
        if !rest.is_empty() {
            lines.push((fit.line(&rest, room(5)), String::new()));
        }
        lines.resize_with(MATERIALS, Default::default);
        lines
    }

    /// What somebody noted, on one line of the form.
    fn worked(&self, entry: &TimelineEntry) -> String {
        let t = self.sheet.t();
        let said =
            [entry.actor.as_deref(), Some(entry.event.word(t))].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let note = entry.note.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{} {said}{}{note}", entry.at.minute(), t.label_gap)
    }

    /// The ways to print it.
    fn ways(&self) -> Ways {
        let t = self.sheet.t();
        let way = |label: &'static str, paper: Paper, copies: Copies| Choice {
            label: label.to_owned(),
            href: format!("/t/{}/print?paper={}&copies={}", self.no, paper.name(), copies.name()),
            current: (paper, copies) == (self.paper, self.copies),
        };
        let papers = Paper::ALL.map(|paper| way(paper.word(t), paper, self.copies));
        let copies = Copies::ALL.map(|copies| way(copies.word(t), self.paper, copies));
        vec![papers.into(), copies.into()]
    }
}
