//! The audit log: every change that people and programs make, in a chain in which each entry holds a hash over itself and the entry
//! before. Whatever is changed, taken away, put in or put elsewhere in the middle of it breaks the chain there.
//!
//! A chain alone cannot tell that entries are missing at its end. The last number and hash stand in a row of their own in the same
//! database, which finds that; whoever can write to the database can write that row too, and the whole chain anew. Against that only
//! helps to note the last number and hash elsewhere, as `lobby-hub audit verify` prints them.

use std::fmt;

use lobby_contract::SiteId;
use lobby_domain::time::Timestamp;
use ring::digest::{Context, SHA256};

/// With what the encoding of every entry begins: another encoding gets another one.
const ENCODING: &[u8] = b"lobby-audit-1";

/// What kind of somebody has changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    /// Somebody who is signed in.
    Person,
    /// A program with a token.
    Program,
    /// Whoever sits at the hub's computer while nobody can sign in yet.
    Here,
    /// Whoever runs `lobby-hub` on the command line.
    Command,
    /// Somebody unknown who holds the label of a device in their hands.
    Guest,
}

impl ActorKind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Program => "program",
            Self::Here => "here",
            Self::Command => "command",
            Self::Guest => "guest",
        }
    }
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// The id of the person or of the token; empty for the others.
    pub id: String,
    /// What they are called.
    pub name: String,
}

impl Actor {
    /// Somebody who is signed in, or who comes by a link of their own.
    pub fn person(id: &str, name: &str) -> Self {
        Self { kind: ActorKind::Person, id: id.to_owned(), name: name.to_owned() }
    }

    /// A program with a token.
    pub fn program(id: &str, name: &str) -> Self {
        Self { kind: ActorKind::Program, id: id.to_owned(), name: name.to_owned() }
    }

    /// Whoever sits at this computer, by the name they give.
    pub fn here(name: &str) -> Self {
        Self { kind: ActorKind::Here, id: String::new(), name: name.trim().to_owned() }
    }

    /// A guest, of whom nothing is known.
    pub fn guest() -> Self {
        Self { kind: ActorKind::Guest, id: String::new(), name: String::new() }
    }

    /// Whoever runs a command, by the number of their user: any name could be given.
    pub fn command() -> Self {
        let name = format!("uid {}", rustix::process::getuid().as_raw());
        Self { kind: ActorKind::Command, id: String::new(), name }
    }
}

/// A change that is to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    at: Timestamp,
    who: Actor,
    site: Option<SiteId>,
    action: String,
    subject: String,
    before: Option<String>,
    after: Option<String>,
}

impl Change {
    /// `action` of `subject`.
    pub fn new(who: &Actor, at: Timestamp, action: impl Into<String>, subject: impl Into<String>) -> Self {
        let (who, action, subject) = (who.clone(), action.into(), subject.into());
        Self { at, who, site: None, action, subject, before: None, after: None }
    }

    /// The same at a site.
    #[must_use]
    pub fn of_site(self, site: Option<&SiteId>) -> Self {
        Self { site: site.cloned(), ..self }
    }

    /// The same with what was there before.
    #[must_use]
    pub fn before(self, before: impl Into<String>) -> Self {
        Self { before: Some(before.into()), ..self }
    }

    /// The same with what is there from now on.
    #[must_use]
    pub fn after(self, after: impl Into<String>) -> Self {
        Self { after: Some(after.into()), ..self }
    }

    /// The entry of that number.
    pub fn numbered(&self, no: i64) -> Entry {
        Entry {
            no,
            at: self.at,
            actor: self.who.name.clone(),
            actor_kind: self.who.kind.as_str().to_owned(),
            actor_id: self.who.id.clone(),
            site: self.site.as_ref().map(SiteId::to_string),
            action: self.action.clone(),
            subject: self.subject.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }
}

/// An entry as it is stored, whatever has been done to it: only its hash says whether it is what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 … without gaps.
    pub no: i64,
    /// When.
    pub at: Timestamp,
    /// Who, by name.
    pub actor: String,
    /// What kind of somebody: see [`ActorKind`].
    pub actor_kind: String,
    /// The id of the person or of the token.
    pub actor_id: String,
    /// At which site; none for what is of all sites or of none.
    pub site: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What was there before.
    pub before: Option<String>,
    /// What is there from then on.
    pub after: Option<String>,
}

impl Entry {
    /// Its hash if it follows one that has the hash `previous`.
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(&previous.0);
        context.update(&self.encoded());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Hash(hash)
    }

    /// All of it, in one way only: every field has its length before it, so that none can run into the next, and what is missing is
    /// not what is empty.
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = ENCODING.to_vec();
        let mut put = |field: Option<&[u8]>| {
            bytes.push(u8::from(field.is_some()));
            let field = field.unwrap_or_default();
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field);
        };
        put(Some(&self.no.to_be_bytes()));
        put(Some(&self.at.millis().to_be_bytes()));
        for text in [&self.actor, &self.actor_kind, &self.actor_id] {
            put(Some(text.as_bytes()));
        }
        put(self.site.as_ref().map(String::as_bytes));
        for text in [&self.action, &self.subject] {
            put(Some(text.as_bytes()));
        }
        for text in [&self.before, &self.after] {
            put(text.as_ref().map(String::as_bytes));
        }
        bytes
    }
}

/// The hash of an entry: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first entry follows.
    pub const START: Self = Self([0; 32]);

    /// A hash as it is stored; `None` if it is none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A chain as far as it has been looked at: whole up to here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The number of the last entry; 0 if there is none.
    pub no: i64,
    /// Its hash.
    pub hash: Hash,
}

/// The first place where a chain is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// There is no entry of that number.
    #[error("entry {0} is missing")]
    Missing(i64),
    /// There is more than one of that number, or it stands after a later one.
    #[error("entry {0} is there twice or out of its order")]
    Repeated(i64),
    /// It is not what was written after the entry before.
    #[error("entry {0} is not what was written, or does not follow the entry before it")]
    Altered(i64),
    /// The chain does not end where it is said to.
    #[error("entry {} is missing or is not the last: the log ends with entry {end}, and {head} were written", .end.min(.head) + 1)]
    End {
        /// The last entry that is there.
        end: i64,
        /// The last entry that was written.
        head: i64,
    },
    /// The last entry has another hash than the one that was noted when it was written.
    #[error("entry {0} is not the one that was written last")]
    Head(i64),
}

impl Broken {
    /// The number of the first entry that is not as it was.
    pub fn no(&self) -> i64 {
        match self {
            Self::Missing(no) | Self::Repeated(no) | Self::Altered(no) | Self::Head(no) => *no,
            Self::End { end, head } => end.min(head) + 1,
        }
    }
}

impl Chain {
    /// One without entries.
    pub const EMPTY: Self = Self { no: 0, hash: Hash::START };

    /// The chain with one more entry, whose hash was stored as `hash`.
    ///
    /// # Errors
    ///
    /// If it is not the entry that was written after the last one.
    pub fn and(self, entry: &Entry, hash: &[u8]) -> Result<Self, Broken> {
        let next = self.no + 1;
        if entry.no > next {
            return Err(Broken::Missing(next));
        }
        if entry.no < next {
            return Err(Broken::Repeated(entry.no));
        }
        let expected = entry.hash(&self.hash);
        if expected.as_bytes() == hash { Ok(Self { no: next, hash: expected }) } else { Err(Broken::Altered(next)) }
    }

    /// Whether it ends where it should.
    ///
    /// # Errors
    ///
    /// If it has fewer or more entries, or another last one.
    pub fn ends_with(self, head: (i64, &[u8])) -> Result<Self, Broken> {
        if self.no != head.0 {
            return Err(Broken::End { end: self.no, head: head.0 });
        }
        if self.hash.as_bytes() == head.1 { Ok(self) } else { Err(Broken::Head(self.no)) }
    }
}

#[cfg(test)]
mod tests;
