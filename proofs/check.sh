#!/usr/bin/env bash
# What the compiled development must pass: nothing is left out or assumed, coqchk, and every `Theorem` rests on these axioms at most:
expected='ClassicalDedekindReals.sig_forall_dec ClassicalDedekindReals.sig_not_dec FunctionalExtensionality.functional_extensionality_dep'
set -euo pipefail
cd "$(dirname "$0")"
sources=$(ls ./*.v checker/*.v | grep -v Extract | sed 's,^\./,,')

if grep -nE 'Admitted|admit|Axiom|Parameter' $sources; then
    echo "proofs: these lines leave out or assume something" >&2
    exit 1
fi
echo "coqchk: every file again by the kernel alone, standard library apart"
coqchk -silent -Q . CGRO $(for v in $sources; do m=${v%.v}; echo "-norec CGRO.${m//\//.}"; done)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for v in $sources; do
    m=${v%.v}
    echo "From CGRO Require $(basename "$m")."
    grep -oE "^Theorem [A-Za-z0-9_']+" "$v" | sed "s,Theorem ,Print Assumptions $(basename "$m").,; s/$/./" || true
done > "$work/Theorems.v"
coqc -Q . CGRO "$work/Theorems.v" > "$work/printed"
grep -oE "Assumptions .*\.$" "$work/Theorems.v" | sed 's/Assumptions //; s/\.$//' > "$work/names"
# One block a theorem: "Closed under the global context", or "Axioms:" and unindented names with their types.
awk -v expected="$expected" -v names="$work/names" '
    BEGIN { n = split(expected, e, " "); for (i = 1; i <= n; i++) known[e[i]] = 1; while ((getline name < names) > 0) theorem[++count] = name }
    /^Closed under the global context/ { used[++block] = " no axiom"; next }
    /^(Axioms|Section Variables|Fetching)/ { if ($0 != "Axioms:") { print "unexpected: " $0; bad = 1 } block++; next }
    /^[^ ]/ { used[block] = used[block] " " $1; if (!($1 in known)) { print theorem[block] " assumes " $1; bad = 1 } }
    END {
        if (block != count || count == 0) { print "proofs: " block " blocks for " count " theorems"; bad = 1 }
        for (i = 1; i <= count; i++) { shown = used[i]; gsub(/ (ClassicalDedekindReals|FunctionalExtensionality)\./, " ", shown); print theorem[i] ":" shown }
        print count " theorems; assumed: the axioms of the standard library'"'"'s reals at most"
        exit bad
    }' "$work/printed"
