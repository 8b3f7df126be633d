#!/usr/bin/env bash
# Runs watertight for the action: inputs come as variables and are never parts of a script.
# Writes the step summary and the outputs, and ends as FAIL_ON says.
set -euo pipefail

fail() {
    printf '::error title=watertight::%s\n' "$*"
    exit 2
}

case "$FAIL_ON" in
breached | inconclusive | never) ;;
*) fail "the input fail-on is '$FAIL_ON'; write breached, inconclusive or never" ;;
esac
if [[ -n $COMMAND && -n $URL ]]; then
    fail 'the inputs command and url exclude each other; give one of them'
fi

mkdir -p "$OUTPUT"
arguments=()
for format in json html sarif markdown; do
    arguments+=(--report "$format=$OUTPUT/report.$format")
done
# What an earlier step left must not be taken for the report of this one.
rm -f "$OUTPUT"/report.{json,html,sarif,markdown}
[[ -z $URL ]] || arguments+=(--url "$URL")
[[ -z $ALLOWED ]] || arguments+=(--allowed "$ALLOWED")
[[ -z $POLICY ]] || arguments+=(--policy "$POLICY")
[[ -z $CONFIG ]] || arguments+=(--config "$CONFIG")
[[ -z $SHARD ]] || arguments+=(--shard "$SHARD")
read -r -a suites <<<"$SUITE"
for suite in "${suites[@]}"; do
    arguments+=(--suite "$suite")
done
if [[ -n $COMMAND ]]; then
    # Split into words as a shell would, without doing anything else that a shell does.
    words=$(printf '%s' "$COMMAND" | xargs -n 1 printf '%s\n') ||
        fail "the input command has a quote without its partner: $COMMAND"
    mapfile -t words <<<"$words"
    arguments+=(-- "${words[@]}")
fi

code=0
watertight run "${arguments[@]}" || code=$?

absolute=$(cd "$OUTPUT" && pwd)
{
    printf 'exit-code=%s\n' "$code"
    for format in json html sarif; do
        [[ ! -f $OUTPUT/report.$format ]] || printf '%s=%s\n' "$format" "$absolute/report.$format"
    done
} >>"$GITHUB_OUTPUT"
[[ ! -f $OUTPUT/report.markdown ]] || cat "$OUTPUT/report.markdown" >>"$GITHUB_STEP_SUMMARY"

case "$code-$FAIL_ON" in
0-* | 1-never | 3-never | 3-breached) exit 0 ;;
*) exit "$code" ;;
esac
