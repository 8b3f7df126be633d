//! How the text of a flag becomes a value.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value};

use crate::{
    config::{Binding, Checker, NetForm, Report, ReportFormat, ReportSpec, SetupCall},
    diag::{At, Diagnostic, Format, Source, word_of},
    probe::{Role, Slot},
};

/// Reads flags. Each flag is a text of its own, in which mistakes are underlined.
pub(super) struct Reader<'a> {
    found: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// Mistakes and warnings go to `found`.
    pub(super) fn new(found: &'a mut Vec<Diagnostic>) -> Self {
        Self { found }
    }

    fn at<T>(
        &mut self,
        flag: &str,
        text: &str,
        read: impl FnOnce(&mut Checker<'_>, At<String>) -> T,
    ) -> T {
        let mut check = Checker {
            source: &Source::new(flag, text),
            base: Path::new(""),
            found: self.found,
        };
        let at = At {
            value: text.to_owned(),
            span: 0..text.len(),
        };
        read(&mut check, at)
    }

    pub(super) fn one<T>(
        &mut self,
        flag: &str,
        text: Option<&String>,
        read: impl FnOnce(&mut Checker<'_>, At<String>) -> T,
    ) -> Option<T> {
        text.map(|text| self.at(flag, text, read))
    }

    pub(super) fn many<T>(
        &mut self,
        flag: &str,
        texts: &[String],
        read: impl Fn(&mut Checker<'_>, At<String>) -> T,
    ) -> Option<Vec<T>> {
        let all: Vec<T> = texts
            .iter()
            .map(|text| self.at(flag, text, &read))
            .collect();
        (!all.is_empty()).then_some(all)
    }

    pub(super) fn number<N: ToString, T>(
        &mut self,
        flag: &str,
        number: Option<N>,
        read: impl FnOnce(&mut Checker<'_>, At<N>) -> T,
    ) -> Option<T> {
        number.map(|number| {
            let text = number.to_string();
            self.at(flag, &text, |check, at| read(check, at.with(number)))
        })
    }

    pub(super) fn command(&mut self, words: &[String]) -> Vec<String> {
        let mut start = 0;
        let words_at = words.iter().map(|word| {
            let span = start..start + word.len();
            start = span.end + 1;
            At {
                value: word.clone(),
                span,
            }
        });
        let words_at = words_at.collect();
        self.at("COMMAND", &words.join(" "), |check, all| {
            check.command(&all.with(words_at))
        })
    }

    pub(super) fn wrapper(&mut self, text: &str) -> Option<Vec<String>> {
        match shell_words::split(text) {
            Ok(words) => Some(self.command(&words)),
            Err(error) => {
                self.shapeless(
                    "--wrapper",
                    text,
                    &error.to_string(),
                    "quote it as for a shell",
                );
                None
            }
        }
    }

    /// A flag without a shape that can be read.
    fn shapeless(&mut self, flag: &str, text: &str, why: &str, help: &str) {
        self.at(flag, text, |check, at| {
            check.error(
                &at,
                "config::flag",
                format!("{flag} cannot be read"),
                why,
                help,
            );
        });
    }

    pub(super) fn header(&mut self, text: &str) -> Option<(String, String)> {
        let Some((name, value)) = text.split_once(':') else {
            self.shapeless("--header", text, "no colon", "write \"NAME: VALUE\"");
            return None;
        };
        self.at("--header", text, |check, at| {
            let value = at.with(value.trim().to_owned());
            Some(check.header(name.trim(), &value))
        })
    }

    pub(super) fn variable(&mut self, text: &str) -> Option<(String, String)> {
        let Some((name, value)) = text.split_once('=') else {
            let help = format!("write {text}=VALUE, or --pass-env {text} to pass yours on");
            self.shapeless("--env", text, "no value", &help);
            return None;
        };
        self.at("--env", text, |check, at| {
            let value = at.with(value.to_owned());
            check.variable(name, &value);
            Some((name.to_owned(), check.text(&value)))
        })
    }

    pub(super) fn map(&mut self, text: &str) -> Option<(String, String)> {
        let Some((host, inside)) = text.split_once('=') else {
            self.shapeless(
                "--map",
                text,
                "no `=`",
                "write HOST=INSIDE, such as {allowed}=/data",
            );
            return None;
        };
        self.at("--map", text, |check, at| {
            check.map(host, &at.with(inside.to_owned()))
        })
    }

    pub(super) fn setup(&mut self, text: &str) -> Option<SetupCall> {
        let (tool, arguments) = text.split_once('=').unwrap_or((text, "{}"));
        let source = Source::new("--setup", arguments);
        let arguments = match source.parse::<Map<String, Value>>(Format::Json) {
            Ok(arguments) => arguments,
            Err(problems) => {
                self.found.extend(problems.into_vec());
                return None;
            }
        };
        self.at("--setup", text, |check, at| {
            Some(check.setup(&SetupCall {
                tool: at.with(tool.to_owned()),
                arguments,
            }))
        })
    }

    pub(super) fn binding(&mut self, text: &str) -> Option<Binding> {
        let source = Source::new("--bind", text);
        let binding = if text.trim_start().starts_with('{') {
            match source.parse::<Binding>(Format::Json) {
                Ok(binding) => binding,
                Err(problems) => {
                    self.found.extend(problems.into_vec());
                    return None;
                }
            }
        } else {
            match binding_of(text) {
                Ok(binding) => binding,
                Err(why) => {
                    let help = "write TOOL:ROLE=POINTER[,SLOT=POINTER]..., such as \
                        put:file.write=/path,content=/text";
                    self.shapeless("--bind", text, &why, help);
                    return None;
                }
            }
        };
        self.at("--bind", text, |check, _| Some(check.binding(&binding)))
    }

    pub(super) fn reports(&mut self, texts: &[String]) -> Option<Vec<ReportSpec>> {
        let mut specs = Vec::with_capacity(texts.len());
        for text in texts {
            let shape = text
                .split_once('=')
                .ok_or_else(|| String::from("no `=`"))
                .and_then(|(format, path)| Ok((word_of::<ReportFormat>(format)?, path)));
            match shape {
                Ok((format, path)) => {
                    let spec = self.at("--report", text, |check, _| {
                        let path = At {
                            value: path.to_owned(),
                            span: text.len() - path.len()..text.len(),
                        };
                        check.report(&Report { format, path }, &specs)
                    });
                    specs.push(spec);
                }
                Err(why) => {
                    let help = "write FORMAT=PATH, such as json=report.json or text=-";
                    self.shapeless("--report", text, &why, help);
                }
            }
        }
        (!texts.is_empty()).then_some(specs)
    }
}

/// `TOOL:ROLE=POINTER[,SLOT=POINTER]...`; every part keeps its place in the text.
fn binding_of(text: &str) -> Result<Binding, String> {
    let (head, slots) = text.split_once('=').ok_or("no `=` after the role")?;
    let (tool, role_word) = head
        .rsplit_once(':')
        .ok_or("no `:` between tool and role")?;
    let role: Role = word_of(role_word)?;
    let place = |part: &str| {
        let start = part.as_ptr().addr() - text.as_ptr().addr();
        start..start + part.len()
    };
    let mut by_slot: BTreeMap<Slot, At<Vec<At<String>>>> = BTreeMap::new();
    for (index, part) in slots.split(',').enumerate() {
        let (slot, pointer) = match part.split_once('=') {
            Some((slot, pointer)) if !slot.starts_with('/') => (word_of(slot)?, pointer),
            _ if index == 0 => (role.slots()[0], part),
            _ => return Err(format!("`{part}` names no slot")),
        };
        let pointer = At {
            value: pointer.to_owned(),
            span: place(pointer),
        };
        by_slot
            .entry(slot)
            .or_insert_with(|| At {
                value: Vec::new(),
                span: place(part),
            })
            .value
            .push(pointer);
    }
    Ok(Binding {
        tool: At {
            value: tool.to_owned(),
            span: place(tool),
        },
        role: At {
            value: role,
            span: place(role_word),
        },
        slots: At {
            value: by_slot,
            span: place(slots),
        },
        arguments: Map::new(),
        form: None,
        uri: None,
        net: NetForm::default(),
        extension: None,
    })
}
