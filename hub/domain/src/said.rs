//! What a device last stated, at rest: a hub keeps that of every device, looks at it seldom, and most devices state much the same.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lobby_contract::{FactValue, Reach};

use crate::{
    condition::Sample,
    form::{self, Form},
};

/// Forms and texts are looked through for those that nobody has any more when there are this many, and then twice as many.
const MANY: usize = 1000;

/// A [`Sample`] in few bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    reach: Reach,
    form: Arc<Form>,
    measured: Box<[u8]>,
}

/// What is the same for many devices, and therefore kept once for all of them, of every site.
#[derive(Default)]
pub struct Shared(Mutex<Known>);

struct Known {
    forms: HashMap<Arc<str>, Arc<Form>>,
    texts: HashSet<Arc<str>>,
    /// So many are looked through next.
    many: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self { forms: HashMap::new(), texts: HashSet::new(), many: MANY }
    }
}

/// Where samples are written before they are kept.
#[derive(Clone, Default)]
pub(crate) struct Scratch {
    form: String,
    measured: Vec<u8>,
}

impl Said {
    /// What a sample says, if nothing is shared with others.
    pub fn new(sample: &Sample) -> Self {
        Scratch::default().said(sample, None, &Shared::default())
    }

    /// Whether its device was reached.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// Whether it states anything but that it does not know.
    pub fn says_something(&self) -> bool {
        self.form.says_something()
    }

    /// One fact, as it was stated.
    pub fn fact(&self, name: &str) -> Option<FactValue> {
        self.form.fact(name, &self.measured).expect("it was made by filling this form")
    }

    /// As it was stated.
    pub fn sample(&self) -> Sample {
        let (facts, faults) = self.form.fill(&self.measured).expect("it was made by filling this form");
        Sample { reach: self.reach, facts, faults }
    }

    /// From now on what is the same as of other devices is kept with theirs.
    pub(crate) fn share(&mut self, shared: &Shared) {
        self.form = shared.lock().form(self.form.text(), || Arc::clone(&self.form));
    }
}

impl Scratch {
    /// What a sample says; of a device that said `before` last, which most often has the same form.
    pub(crate) fn said(&mut self, sample: &Sample, before: Option<&Said>, shared: &Shared) -> Said {
        let Self { form, measured } = self;
        form.clear();
        measured.clear();
        form::write(&sample.facts, &sample.faults, form, measured);
        let known = before.filter(|before| before.form.text() == form).map(|before| Arc::clone(&before.form));
        let form = known.unwrap_or_else(|| {
            shared.lock().form(form, || Arc::new(Form::read(form).expect("what has just been written is a form")))
        });
        Said { reach: sample.reach, form, measured: measured.as_slice().into() }
    }
}

impl Shared {
    /// A text that many devices have, such as their kind or place.
    pub fn text(&self, text: &str) -> Arc<str> {
        let mut known = self.lock();
        if let Some(text) = known.texts.get(text) {
            return Arc::clone(text);
        }
        known.make_room();
        let text = Arc::<str>::from(text);
        known.texts.insert(Arc::clone(&text));
        text
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Whatever was known when somebody panicked is still true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in it is seen where it is used.
        f.write_str("Shared")
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch")
    }
}

impl Known {
    fn form(&mut self, text: &str, make: impl FnOnce() -> Arc<Form>) -> Arc<Form> {
        if let Some(form) = self.forms.get(text) {
            return Arc::clone(form);
        }
        self.make_room();
        let form = make();
        self.forms.insert(text.into(), Arc::clone(&form));
        form
    }

    /// Forgets what no device has any more.
    fn make_room(&mut self) {
        if self.forms.len() + self.texts.len() >= self.many {
            self.forms.retain(|_, form| Arc::strong_count(form) > 1);
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.many = (2 * (self.forms.len() + self.texts.len())).max(MANY);
        }
    }
}
