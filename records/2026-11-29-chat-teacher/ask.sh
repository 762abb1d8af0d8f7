#!/bin/sh
# Called by measure.sh, while the proxy is up: its URL is in CHAT_URL and its key in CHAT_KEY.
set -e
out=$1 way=$2
cat > "$out/plan.toml" <<TOML
[teacher]
uri = "chat:$CHAT_URL?model=digits&input_shape=1,16,16&structured=true&token_env=CHAT_KEY"
class_names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
fingerprint = "digits"
[images]
source = "npz:$out/digits.npz"
[acquisition]
name = "random"
[rounds]
number = 1
[budget]
answers = 1000
price_per_million_input = 0.15
price_per_million_output = 0.60
currency = "USD"
TOML
label="python -m db3kd label --plan $out/plan.toml --run $out/$way/run"
if [ "$way" = killed ]; then
    $label 2> /dev/null &
    asking=$!
    while [ "$(wc -l < "$out/$way/account.jsonl" 2> /dev/null || echo 0)" -lt 400 ]; do sleep 0.1; done
    kill -9 $asking
else
    python -m db3kd label --plan "$out/plan.toml" --run "$out/$way/run" --dry-run --json > "$out/$way/dry-run.json"
fi
$label --json > "$out/$way/label.json"
python -m db3kd status "$out/$way/run" > "$out/$way/status.txt"
python -m db3kd status "$out/$way/run" --json > "$out/$way/status.json"
if [ "$way" = whole ]; then
    uri="chat:$CHAT_URL?model=digits&input_shape=1,16,16&structured=true&token_env=CHAT_KEY"
    names="zero,one,two,three,four,five,six,seven,eight,nine"
    python -m db3kd check-teacher "$uri&class_names=$names" --data "npz:$out/digits.npz" --split train --json > "$out/$way/check.json"
fi
