//! What a target offers: tools, resources, prompts, all pages of them.
//!
//! Owns paging, its bounds, and the lenient reading of tools. rmcp's own paging follows a constant
//! cursor for ever, and its types refuse tools whose schemas are broken though the calls work.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{
    Caller, Exchange, ListError, NoiseKind, Outcome, Session, Tool, exchange::PROMPT, printable,
};

/// Pages and items after which a list is taken to be endless.
const PAGES: usize = 200;
const ITEMS: usize = 20_000;

impl Session {
    /// All tools, within `deadline` for the whole list. Entries without a name are left out; any
    /// schema is taken as it comes. A list that does not end is cut and noted as noise.
    ///
    /// # Errors
    /// The target refuses, does not answer, or answers with no list.
    pub async fn tools(&self, deadline: Duration) -> Result<Vec<Tool>, ListError> {
        let items = self.list("tools/list", "tools", deadline).await?;
        Ok(items.into_iter().filter_map(tool).collect())
    }

    /// All resources, as advertised; bounds and errors as for [`Session::tools`].
    ///
    /// # Errors
    /// As for [`Session::tools`].
    pub async fn resources(&self, deadline: Duration) -> Result<Vec<Value>, ListError> {
        self.list("resources/list", "resources", deadline).await
    }

    /// All resource templates, as advertised; bounds and errors as for [`Session::tools`].
    ///
    /// # Errors
    /// As for [`Session::tools`].
    pub async fn resource_templates(&self, deadline: Duration) -> Result<Vec<Value>, ListError> {
        self.list("resources/templates/list", "resourceTemplates", deadline)
            .await
    }

    /// All prompts, as advertised; bounds and errors as for [`Session::tools`].
    ///
    /// # Errors
    /// As for [`Session::tools`].
    pub async fn prompts(&self, deadline: Duration) -> Result<Vec<Value>, ListError> {
        self.list("prompts/list", "prompts", deadline).await
    }

    /// The prompts that take arguments, each as a tool of its own; none where they cannot be listed.
    pub async fn asking_prompts(&self, deadline: Duration) -> Vec<Tool> {
        if self.info().capabilities.get("prompts").is_none() {
            return Vec::new();
        }
        let prompts = self.prompts(deadline).await.unwrap_or_default();
        prompts.into_iter().filter_map(prompt).collect()
    }

    async fn list(
        &self,
        method: &'static str,
        member: &'static str,
        deadline: Duration,
    ) -> Result<Vec<Value>, ListError> {
        let until = Instant::now() + deadline;
        let mut items = Vec::new();
        let mut cursors = HashSet::new();
        let mut params = json!({});
        for page in 0.. {
            let left = until.saturating_duration_since(Instant::now());
            let exchange = self.request(method, params, left).await;
            let mut result = match read(method, member, exchange) {
                Ok(result) => result,
                Err(error) if page == 0 => return Err(error),
                Err(error) => {
                    self.note(NoiseKind::EndlessList, error.to_string().as_bytes());
                    return Ok(items);
                }
            };
            if let Some(Value::Array(more)) = result.get_mut(member).map(Value::take) {
                items.extend(more);
            }
            let Some(Value::String(cursor)) = result.get_mut("nextCursor").map(Value::take) else {
                return Ok(items);
            };
            if page + 1 >= PAGES || items.len() >= ITEMS || !cursors.insert(cursor.clone()) {
                self.note(NoiseKind::EndlessList, method.as_bytes());
                items.truncate(ITEMS);
                return Ok(items);
            }
            params = json!({ "cursor": cursor });
        }
        Ok(items)
    }
}

fn read(
    method: &'static str,
    member: &'static str,
    exchange: Exchange,
) -> Result<Value, ListError> {
    match exchange.outcome {
        Outcome::Result(result) if result[member].is_array() => Ok(result),
        Outcome::Result(_) => Err(ListError::NoList { method, member }),
        Outcome::Error { code, message } => Err(ListError::Refused {
            method,
            code,
            message: printable(message.as_bytes(), 200),
        }),
        other => Err(ListError::NoAnswer {
            method,
            why: printable(other.text().as_bytes(), 200),
        }),
    }
}

fn tool(definition: Value) -> Option<Tool> {
    Some(Tool {
        name: definition.get("name")?.as_str()?.to_owned(),
        description: definition
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        input_schema: definition.get("inputSchema").cloned().unwrap_or_default(),
        annotations: definition.get("annotations").cloned().unwrap_or_default(),
        definition,
    })
}

/// A prompt as a tool: its arguments are texts.
fn prompt(definition: Value) -> Option<Tool> {
    let text = |of: &Value, member: &str| of.get(member).and_then(Value::as_str).map(str::to_owned);
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for argument in definition.get("arguments")?.as_array()? {
        let name = text(argument, "name")?;
        let described = text(argument, "description").unwrap_or_default();
        if argument.get("required").and_then(Value::as_bool) == Some(true) {
            required.push(name.clone());
        }
        properties.insert(name, json!({ "type": "string", "description": described }));
    }
    (!properties.is_empty()).then_some(())?;
    Some(Tool {
        name: format!("{PROMPT}{}", text(&definition, "name")?),
        description: text(&definition, "description").unwrap_or_default(),
        input_schema: json!({ "type": "object", "properties": properties, "required": required }),
        annotations: Value::Null,
        definition,
    })
}
