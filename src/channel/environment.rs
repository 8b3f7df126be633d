//! Tools that may give variables of the server's environment, judged by names alone.
//!
//! Owns the words. That a tool gives variables is shown by what comes out of it.

use serde_json::{Map, Value};

use super::words::{WRITING, Words, words};
use crate::session::Tool;

/// What such tools and their parameters are called.
const VARIABLES: Words =
    Words("env envs environ environment environments variable variables vars getenv envvar");

/// Words of tools that give what is set.
const SETTINGS: Words = Words(
    "setting settings config configuration option property preference parameter param secret credential value key",
);

/// Words of tools that tell of the server and change nothing.
const TELLING: Words = Words(
    "get show list read print dump describe display view fetch env environ environment variables vars config \
     configuration settings info information status state debug diagnostics diagnose whoami version health about \
     help context system runtime server",
);

/// Words of tools that do something, whatever else their names say.
const ACTING: Words = Words(
    "toggle enable disable start run execute open close connect login logout trigger refresh reload sync switch \
     select use",
);

/// The arguments with which a tool may give variables, without names or with each of `names`. A tool that takes
/// something else is not asked, nor one whose name does not say that it tells.
pub(crate) fn asking<'n>(
    tool: &Tool,
    names: impl Iterator<Item = &'n str>,
) -> Vec<Map<String, Value>> {
    let required: Vec<&str> = tool.input_schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut asked = Vec::new();
    if required.is_empty() && tells(tool) {
        asked.push(Map::new());
    }
    let of_variables = |text: &str| words(text).iter().any(|word| VARIABLES.has(word));
    // What gives settings by name may take any variable for one.
    let named = words(&tool.name);
    let settings = tells(tool) && named.iter().any(|word| SETTINGS.has(word));
    let about = settings || of_variables(&tool.name) || of_variables(&tool.description);
    let parameter = tool.input_schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, schema)| schema["type"] == "string")
        .map(|(name, _)| name)
        .find(|name| about || of_variables(name));
    let Some(parameter) = parameter.filter(|name| required.iter().all(|other| other == name))
    else {
        return asked;
    };
    asked.extend(names.map(|name| {
        let mut arguments = Map::new();
        arguments.insert(parameter.clone(), Value::from(name));
        arguments
    }));
    asked
}

/// Whether a tool tells something and changes nothing, by its name and its annotation.
pub(super) fn tells(tool: &Tool) -> bool {
    let name = words(&tool.name);
    let hinted = tool.annotations["readOnlyHint"] == true;
    let acts = name
        .iter()
        .any(|word| WRITING.has(word) || ACTING.has(word));
    !acts && (hinted || name.iter().any(|word| TELLING.has(word)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(name: &str, description: &str, schema: Value) -> Vec<Map<String, Value>> {
        let tool = Tool {
            description: description.to_owned(),
            input_schema: schema,
            ..Tool::named(name)
        };
        asking(&tool, ["PATH", "TOKEN"].into_iter())
    }

    #[test]
    fn tools_that_tell_are_asked() {
        let none = json!({ "type": "object", "properties": {} });
        assert_eq!(asked("printEnv", "", none.clone()).len(), 1);
        assert_eq!(asked("server-status", "", none.clone()).len(), 1);
        assert_eq!(asked("deploy", "", none.clone()).len(), 0);
        let hinted = |name: &str| Tool {
            input_schema: none.clone(),
            annotations: json!({ "readOnlyHint": true }),
            ..Tool::named(name)
        };
        assert_eq!(asking(&hinted("whoAreYou"), [].into_iter()).len(), 1);
        assert_eq!(asking(&hinted("trigger-job"), [].into_iter()).len(), 0);
        for acting in [
            "start_browser",
            "toggle-debug",
            "update_context",
            "set_config",
        ] {
            assert_eq!(asked(acting, "", none.clone()).len(), 0, "{acting}");
        }

        let name = json!({ "properties": { "name": { "type": "string" } }, "required": ["name"] });
        let told = asked("lookup", "Gives an environment variable", name.clone());
        assert_eq!(told.len(), 2);
        assert_eq!(told[1]["name"], "TOKEN");
        assert_eq!(asked("lookup", "Gives a user", name).len(), 0);

        let more = json!({
            "properties": { "variable": { "type": "string" }, "file": { "type": "string" } },
            "required": ["variable", "file"]
        });
        assert_eq!(asked("get_env", "", more).len(), 0);
    }
}
