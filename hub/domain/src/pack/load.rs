//! From the files of a pack to a pack, or to every mistake in them.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use toml::{Spanned, de::DeTable};

use super::{
    KindRules, Pack,
    basics::{areas, clauses, departments, posts, priorities},
    chain::{Draft, chain},
    checklists::checklists,
    inhibitions::inhibitions,
    kinds::kinds,
    names::Names,
    node::{Name, Table},
    problem::{Log, PackErrors},
    reports,
    rules::{Declared, rules},
    source::{At, Source},
    stock,
};
use crate::{escalation::Chain, inhibit::Inhibition, rule::Rule};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../standards/", $name)))),*]
    };
}

/// The files of the built-in pack, with their texts: what a company copies and edits.
pub const BUILT_IN: [(&str, &str); 11] = files![
    "pack.toml",
    "clauses.toml",
    "kinds.toml",
    "rules-display.toml",
    "rules-tv.toml",
    "rules-covers.toml",
    "rules-snooker.toml",
    "rules-internet.toml",
    "rules-agent.toml",
    "inhibit.toml",
    "checklists.toml",
];

impl Pack {
    /// The pack that `files` (name and text) make together. Every mistake in them is told, with its place.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, PackErrors> {
        let sources: Vec<Source<'_>> = files.iter().map(|(name, text)| Source::new(name, text)).collect();
        let log = Log::default();
        let pack = read(&sources, &log);
        match pack {
            Some(pack) if log.is_empty() => Ok(pack),
            _ => Err(log.into_errors()),
        }
    }

    /// The pack of the product, read once.
    pub fn built_in() -> Arc<Self> {
        static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
        let load = || Arc::new(Self::load(&BUILT_IN).expect("a test loads the pack that is compiled in"));
        Arc::clone(PACK.get_or_init(load))
    }
}

fn read(sources: &[Source<'_>], log: &Log) -> Option<Pack> {
    let roots: Vec<Spanned<DeTable<'_>>> = sources.iter().map(|source| parse(source, log)).collect();
    // What a broken file was meant to declare is not known, so nothing can be said about what refers to it.
    if !log.is_empty() {
        return None;
    }
    let tables: Vec<Table<'_>> =
        sources.iter().zip(&roots).map(|(source, root)| Table::root(source, log, root.get_ref())).collect();
    merge(tables, log, sources.first())
}

fn parse<'a>(source: &'a Source<'a>, log: &Log) -> Spanned<DeTable<'a>> {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    // What a reader finds behind the first is mostly its consequence.
    let offset = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    if let Some(error) = errors.iter().min_by_key(|error| offset(error)) {
        let offset = offset(error);
        log.add(At { source, offset }, format!("this is not TOML: {}", error.message()));
    }
    root
}

fn merge<'a>(files: Vec<Table<'a>>, log: &'a Log, first: Option<&'a Source<'a>>) -> Option<Pack> {
    let mut declared = Declared {
        clauses: Names::new("clause"),
        posts: Names::new("post"),
        departments: Names::new("department"),
        priorities: Names::new("priority"),
        kinds: Names::new("kind"),
        drafts: BTreeMap::new(),
    };
    let mut known = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut used: Vec<Name<'_>> = Vec::new();
    let mut usual = reports::Usual::default();
    let mut items = stock::Items::default();
    let (mut named, mut known_areas) = (Names::new("area"), Vec::new());
    for file in &files {
        known.0.extend(clauses(file, &mut declared.clauses, &mut used));
        known.1.extend(posts(file, &mut declared.posts));
        known.2.extend(departments(file, &mut declared.departments, &mut used));
        known.3.extend(priorities(file, &mut declared.priorities));
        kinds(file, &mut declared.kinds, &mut declared.drafts);
        reports::usual(file, &mut usual);
        items.read(file);
        known_areas.extend(areas(file, &mut named));
    }
    for area in declared.drafts.values().filter_map(|draft| draft.area) {
        named.check(log, area);
    }
    for post in declared.drafts.values().flat_map(|draft| &draft.boards).chain(&used) {
        declared.posts.check(log, *post);
    }
    let chain = the_chain(&files, &declared, log);
    for draft in declared.drafts.values().filter_map(|kind| kind.report.as_ref()).chain(&usual.draft) {
        draft.check(&declared, log);
    }
    items.check(&declared, log);
    let report = usual.draft.map(|draft| draft.finished());
    let symptoms = usual.symptoms;
    let mut rounds = Names::new("checklist");
    let checklists = files.iter().flat_map(|file| checklists(file, &declared, &mut rounds)).collect();
    let (rules, inhibitions) = all_rules(files, &declared, log);
    let whole = |log: &Log, message: &str| {
        if log.is_empty() {
            let empty = Source::new("pack", "");
            log.add(At { source: first.unwrap_or(&empty), offset: 0 }, message);
        }
    };
    if rules.is_empty() {
        whole(log, "the pack has no rule");
    }
    if chain.is_none() {
        whole(log, "the pack has no `[chain]`: say to whom posts report");
    }
    let kinds = with_rules(declared, &rules)?;
    let (clauses, posts, departments, priorities) = known;
    Some(Pack {
        clauses,
        posts,
        areas: known_areas,
        departments,
        priorities,
        chain: chain?,
        inhibitions,
        kinds,
        report,
        symptoms,
        items: items.known,
        checklists,
    })
}

/// The chain of command, of whichever file has it; it is one.
fn the_chain<'a>(files: &[Table<'a>], declared: &Declared<'a>, log: &Log) -> Option<Chain> {
    let mut drafts: Vec<Draft<'a>> = files.iter().filter_map(|file| chain(file, declared)).collect();
    for second in drafts.iter().skip(1) {
        log.add(second.at, "`[chain]` is there twice: there is one chain of command");
    }
    drafts.truncate(1);
    drafts.pop()?.chain
}

fn all_rules<'a>(files: Vec<Table<'a>>, declared: &Declared<'a>, log: &Log) -> (Vec<Arc<Rule>>, Vec<Inhibition>) {
    let mut ids = Names::new("rule");
    let mut judged = Vec::new();
    let mut all = Vec::new();
    for file in &files {
        all.extend(rules(file, declared, &mut ids, &mut judged).into_iter().map(Arc::new));
    }
    // They name rules of any file.
    let inhibitions = files.iter().flat_map(|file| inhibitions(file, &ids, &declared.kinds)).collect();
    files.into_iter().for_each(Table::finish);
    // A kind may seem to have no rule only because the rule for it is wrong.
    if log.is_empty() {
        for (kind, at) in declared.kinds.iter().filter(|(kind, _)| !judged.contains(kind)) {
            log.add(at, format!("no rule judges kind `{kind}`"));
        }
    }
    (all, inhibitions)
}

fn with_rules(declared: Declared<'_>, rules: &[Arc<Rule>]) -> Option<BTreeMap<Box<str>, Arc<KindRules>>> {
    let judging = |id: &str| rules.iter().filter(|rule| rule.kinds.iter().any(|kind| **kind == *id)).cloned().collect();
    declared
        .drafts
        .into_iter()
        .map(|(id, draft)| Some((id.into(), Arc::new(KindRules { rules: judging(id), kind: draft.finished()? }))))
        .collect()
}
