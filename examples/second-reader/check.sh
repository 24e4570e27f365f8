#!/bin/sh
# Builds the second reader and lets it read what a medvault binary writes. Everything is made in a
# temporary folder and removed at the end. Prints a line "ok: …" for each thing that held; ends with
# exit code 1 at the first that did not.
#
# Usage: check.sh MEDVAULT_BINARY
set -eu

[ $# -eq 1 ] || { echo "usage: check.sh MEDVAULT_BINARY" >&2; exit 2; }
medvault=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
sample=$here/../sample-patient
work=$(mktemp -d)
trap 'stop patient helper; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work"

# Shows what a command says on standard error only if it fails.
quiet() { "$@" 2> messages || { cat messages >&2; return 1; }; }
fail() { echo "check.sh: $*" >&2; exit 1; }
ok() { echo "ok: $*"; }
same() { [ "$2" = "$3" ] || fail "$1: $2, expected $3"; ok "$1: $2"; }
count() { wc -l < "$1" | tr -d ' '; }
# The text field NAME of each line of JSON.
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Serves the home of one person on loopback, until stop is told to end it.
serve() {
    "$medvault" --home "$work/$1" --passphrase-file "$work/$1.pass" --no-input serve \
        --listen /ip4/127.0.0.1/tcp/0 --listen-heads 127.0.0.1:0 > "$1.serve" 2>&1 &
    echo "$!" > "$1.node"
    waited=0
    until grep -qs "stop with" "$1.serve"; do
        [ $((waited += 1)) -lt 150 ] || fail "the node of $1 does not start: $(cat "$1.serve")"
        sleep 0.2
    done
}
stop() {
    for name in "$@"; do
        [ -f "$work/$name.node" ] || continue
        node=$(cat "$work/$name.node")
        rm "$work/$name.node"
        kill "$node" && wait "$node" || true
    done
}

(cd "$here" && go build -o "$work/reader" .)
ok "the reader builds"

echo "a passphrase of the patient" > patient.pass
echo "a passphrase of the doctor" > doctor.pass
echo "a passphrase of the helper" > helper.pass
patient() { "$medvault" --home "$work/patient" --passphrase-file "$work/patient.pass" --no-input "$@"; }
doctor() { "$medvault" --home "$work/doctor" --passphrase-file "$work/doctor.pass" --no-input "$@"; }
helper() { "$medvault" --home "$work/helper" --passphrase-file "$work/helper.pass" --no-input "$@"; }
by_words() { command=$1; shift; quiet "$work/reader" "$command" -words "$work/patient.words" "$@" "$work/patient/blocks"; }
by_identity() { command=$1; shift; quiet "$work/reader" "$command" -identity "$work/patient/identity.age" -passphrase-file "$work/patient.pass" "$@" "$work/patient/blocks"; }
as_doctor() { "$work/reader" grant -ticket "$1" -identity "$work/doctor/identity.age" -passphrase-file "$work/doctor.pass" -json -out "$2" "$work/patient/blocks"; }

quiet patient -q init --work-factor 10 --name "Mira Samplewright" --words-out patient.words > act.out
quiet doctor -q init --work-factor 10 --name "Dr. Example" --words-out doctor.words > act.out

mkdir files
cp "$sample/history.json" "$sample/note.txt" files/
head -c 1500000 /dev/urandom > files/scan.bin
head -c 20971520 /dev/urandom > files/film.bin
head -c 245000 /dev/urandom > files/edge.bin
quiet patient --json record add files/history.json files/note.txt files/scan.bin files/film.bin files/edge.bin > add.json
patient --json record list > list.json
hba1c=$(grep '"title":"HbA1c"' list.json | head -n 1 | field record)
[ -n "$hba1c" ] || fail "no HbA1c among the sample records"
quiet patient -q record update "$hba1c" "$sample/new-result.json" > act.out
quiet patient -q contact add doctor doctor/card > act.out
quiet patient -q contact verify doctor --yes > act.out
quiet patient -q share --with doctor --kind Observation --kind Document --category other -o standing.ticket > act.out
quiet patient -q share --with doctor --category vitals --snapshot --expires 30d --purpose TREAT -o snapshot.ticket > act.out

# The doctor deposits a result whose label the patient's own rules find, and a longer file.
cat > files/hiv.json << 'END'
{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"7917-8"}],"text":"Antibodies"}}
END
head -c 600000 /dev/urandom > files/report.bin
quiet doctor -q contact add mira patient/card > act.out
quiet doctor -q deposit files/hiv.json files/report.bin --to mira --yes -m "your results" -o deposit.car > act.out
quiet patient -q contact limit doctor --deposits 10MB > act.out
quiet patient --json inbox add deposit.car > deposit.json
quiet patient -q inbox accept "$(field deposit < deposit.json)" > act.out
ok "a deposit is taken"

# Compares every file that the reader wrote with what the program gives, whole files also with the
# originals.
compare() {
    same "$2: files" "$(ls "$1" | wc -l | tr -d ' ')" "$(count list.json)"
    for record in $(field record < list.json); do
        patient -q record get "$record" -o got.bin
        cmp -s got.bin "$1/$record" || fail "$2: record $record differs"
        rm got.bin
    done
    for name in note.txt scan.bin film.bin edge.bin report.bin; do
        record=$(grep "\"title\":\"$name\"" list.json | field record)
        cmp -s "files/$name" "$1/$record" || fail "$2: $name differs from the original"
    done
    ok "$2: every byte is the same"
}

check_vault() {
    for way in words identity; do
        "by_$way" list -json > read.json
        patient --json record list > list.json
        cmp -s read.json list.json || fail "$1, by $way: the lists of records differ"
        ok "$1, by $way: the same list of $(count read.json) records"
        "by_$way" list -json -all-versions > read.json
        patient --json record list --all-versions > list.json
        same "$1, by $way: versions" "$(count read.json)" "$(count list.json)"
        "by_$way" audit -json > read.json
        patient --json audit log --all > log.json
        same "$1, by $way: log entries" "$(field act < read.json | tr '\n' ' ')" "$(field act < log.json | tr '\n' ' ')"
        "by_$way" sharing -json > read.json
        patient --json grant list > grants.json
        same "$1, by $way: grants" "$(grep -c '^{.*"extent"' read.json)" "$(count grants.json)"
        "by_$way" verify > verify.out
        ok "$1, by $way: $(cat verify.out)"
        rm -rf "out.$way"
        "by_$way" extract -out "out.$way" > extract.out
    done
    diff -r out.words out.identity || fail "$1: words and identity give different files"
    patient --json record list > list.json
    compare out.words "$1"
}

check_vault "before the revocation"
quiet as_doctor standing.ticket granted > granted.json
patient --json grant list > grants.json
granted=$(($(sed -n 's/.*"versions":\([0-9]*\).*/\1 +/p' grants.json | tr '\n' ' ') 0))
same "the doctor reads" "$(count granted.json)" "$granted"
for record in $(field record < granted.json); do
    cmp -s "granted/$record" "out.words/$record" || fail "the doctor reads other bytes of record $record"
done
ok "the doctor reads the same bytes"

# A backup is the whole vault in one file, and a grant file all that the doctor needs.
quiet patient -q backup whole.car > act.out
quiet ./reader verify -words patient.words whole.car > verify.out
ok "the backup: $(cat verify.out)"
rm -rf out.backup
quiet ./reader extract -words patient.words -out out.backup whole.car > extract.out
diff -r out.backup out.words || fail "the backup and the blocks give different files"
ok "the backup gives the same files"
grant=$(grep '"extent":"standing"' grants.json | head -n 1 | field grant)
quiet patient -q grant export "$grant" --to doctor -o stick.car > act.out
if ./reader grant -ticket standing.ticket -identity doctor/identity.age -passphrase-file doctor.pass -json stick.car > stick.json 2> stick.err; then fail "the other grant is in the file too"; fi
same "problems in the grant file" "$(grep -c 'problem: ' stick.err)" 1
grep -q "problem: grant .* is missing" stick.err || fail "the grant file: $(cat stick.err)"
same "from the grant file the doctor reads" "$(count stick.json)" "$(grep "$grant" grants.json | sed -n 's/.*"versions":\([0-9]*\).*/\1/p')"

# The words and a copy of the blocks bring the vault back, with the grants of before.
quiet "$medvault" --home "$work/again" --passphrase-file "$work/patient.pass" --no-input -q init --recover \
    --work-factor 10 --words-file patient.words --blocks patient/blocks > act.out
quiet ./reader verify -words patient.words again/blocks > verify.out
ok "recovered: $(cat verify.out)"
quiet ./reader grant -ticket standing.ticket -identity doctor/identity.age -passphrase-file doctor.pass -json again/blocks > again.json
same "from the recovered vault the doctor reads" "$(count again.json)" "$granted"
rm -rf again

quiet patient -q revoke --contact doctor --yes > act.out
if as_doctor standing.ticket granted > granted.json 2> refused.err; then fail "the doctor still reads after the revocation"; fi
grep -q "no grant" refused.err || fail "the doctor is refused for another reason: $(cat refused.err)"
ok "after the revocation the doctor reads nothing"
check_vault "after the revocation"
by_words sharing -json > read.json
same "receipts" "$(grep -c '"level":"rekey"' read.json)" 2

quiet patient -q record remove "$hba1c" --yes > act.out
check_vault "after a removal"

# Access on request: offered, agreed to, opened by the patient's device and by an agent, taken back.
quiet helper -q init --work-factor 10 --name "Hanna Helper" --words-out helper.words > act.out
quiet helper -q contact add mira patient/card > act.out
quiet helper -q contact add doctor doctor/card > act.out
quiet patient -q contact add helper helper/card > act.out
quiet patient -q contact verify helper --yes > act.out
serve patient
serve helper
quiet patient -q share --with doctor --kind Observation --kind Document --on-request --may-deposit --max-opens 9 \
    --starts 2024-01-01 --expires 30d --purpose TREAT --agent helper -o request.ticket > act.out
if as_doctor request.ticket granted > granted.json 2> refused.err; then fail "the doctor reads before agreeing"; fi
grep -q "not countersigned" refused.err || fail "the doctor is refused for another reason: $(cat refused.err)"
quiet ./reader verify -words patient.words patient/blocks > verify.out
ok "offered on request: $(cat verify.out)"
patient --json grant list > grants.json
grant=$(grep '"delivery":"on-request"' grants.json | field grant)
quiet doctor -q inbox accept request.ticket > act.out
quiet doctor -q agreement accept "$grant" > act.out
quiet doctor -q inbox sync > act.out
doctor --json record list --from "Mira Samplewright" > list.json
rm -rf granted
quiet as_doctor request.ticket granted > granted.json
same "on request the doctor lists" "$(field record < granted.json | sort | tr '\n' ' ')" "$(field record < list.json | sort | tr '\n' ' ')"
same "their keys are given out on request" "$(grep -c '"on_request":true' granted.json)" "$(count granted.json)"
same "files without a key" "$(ls granted | wc -l | tr -d ' ')" 0
opened=$(grep '"title":"HbA1c"' list.json | head -n 1 | field record)
quiet doctor -q record get "$opened" --from "Mira Samplewright" -o got.bin > act.out
rm got.bin

quiet helper -q agent address > helper.address
quiet patient -q agent add helper "$grant" --at helper.address --opens 3 --yes > agent.ticket
quiet helper -q inbox accept agent.ticket > act.out
quiet ./reader grant -ticket agent.ticket -identity helper/identity.age -passphrase-file helper.pass -json patient/blocks > agent.json
grep -q "agent who answers" messages || fail "the helper is no agent: $(cat messages)"
same "the agent can open every key of" "$(count agent.json)" "$(count granted.json)"
quiet doctor -q inbox sync > act.out
stop patient
tries=0
until doctor -q record get "$opened" --from "Mira Samplewright" -o got.bin > act.out 2> messages; do
    [ $((tries += 1)) -lt 20 ] || fail "the agent gives no key: $(cat messages)"
    sleep 1
done
rm got.bin
quiet helper --json audit log --all > log.json
same "in the agent's log" "$(field act < log.json | grep -c released)" 1
quiet patient -q agent sync > act.out
check_vault "on request"

quiet patient --json audit log --all > log.json
released=$(grep '"act":"released"' log.json | head -n 1 | sed -n 's/.*"index":\([0-9]*\).*/\1/p')
vault=$(patient --json identity show | field vault)
quiet patient -q audit prove "$released" -o released.tlog-proof > act.out
quiet ./reader check-proof -vault "$vault" released.tlog-proof > proof.out
grep -q " released " proof.out || fail "the proof: $(cat proof.out)"
ok "proof: $(head -n 1 proof.out)"
quiet patient -q audit evidence -o patient.evidence > act.out
quiet ./reader check-evidence -vault "$vault" patient.evidence > proof.out
ok "evidence: $(cat proof.out)"

quiet patient -q agent remove helper "$grant" --yes > act.out
if ./reader grant -ticket agent.ticket -identity helper/identity.age -passphrase-file helper.pass patient/blocks > agent.out 2> refused.err; then fail "the helper is still an agent"; fi
quiet as_doctor request.ticket granted > granted.json
check_vault "after the agent"
quiet ./reader verify -words helper.words helper/blocks > verify.out
ok "the agent's own vault: $(cat verify.out)"
quiet ./reader sharing -words helper.words -json helper/blocks > read.json
same "opens that the agent counts" "$(sed -n 's/^{"charge":.*"opens":\([0-9]*\).*/\1/p' read.json)" 1
stop helper
quiet patient -q revoke "$grant" --yes > act.out
if as_doctor request.ticket granted > granted.json 2> refused.err; then fail "the doctor still lists after the revocation"; fi
by_words sharing -json > read.json
same "receipts of what was opened" "$(grep -c '"level":"rekey","vault":"[a-z2-7]*","opened":1' read.json)" 1
check_vault "after the revocation on request"

# A copy that lost its end is told from a whole one.
size=$(wc -c < patient/blocks/segment-00000001.car)
head -c $((size / 2)) patient/blocks/segment-00000001.car > half.car
if "$work/reader" verify -words patient.words half.car > half.out 2> half.err; then fail "half a copy verifies"; fi
grep -q "problem: " half.err || fail "half a copy: no problem is named"
ok "half a copy does not verify"
