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
trap 'rm -rf "$work"' EXIT
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

(cd "$here" && go build -o "$work/reader" .)
ok "the reader builds"

echo "a passphrase of the patient" > patient.pass
echo "a passphrase of the doctor" > doctor.pass
patient() { "$medvault" --home "$work/patient" --passphrase-file "$work/patient.pass" --no-input "$@"; }
doctor() { "$medvault" --home "$work/doctor" --passphrase-file "$work/doctor.pass" --no-input "$@"; }
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

# Compares every file that the reader wrote with what the program gives, whole files also with the
# originals.
compare() {
    same "$2: files" "$(ls "$1" | wc -l | tr -d ' ')" "$(count list.json)"
    for record in $(field record < list.json); do
        patient -q record get "$record" -o got.bin
        cmp -s got.bin "$1/$record" || fail "$2: record $record differs"
        rm got.bin
    done
    for name in note.txt scan.bin film.bin edge.bin; do
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
        patient --json audit log > log.json
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

# A copy that lost its end is told from a whole one.
size=$(wc -c < patient/blocks/segment-00000001.car)
head -c $((size / 2)) patient/blocks/segment-00000001.car > half.car
if "$work/reader" verify -words patient.words half.car > half.out 2> half.err; then fail "half a copy verifies"; fi
grep -q "problem: " half.err || fail "half a copy: no problem is named"
ok "half a copy does not verify"
