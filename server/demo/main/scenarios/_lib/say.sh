# Helpers that the scenarios share: one line per step, with colour, and progress for the page.

red=$(printf '\033[31m') green=$(printf '\033[32m') yellow=$(printf '\033[33m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')

step() { printf '%s%s%s %s\n' "$dim" "$(date -u +%H:%M:%S)" "$plain" "$*"; }
ok() { printf '  %sok%s   %s\n' "$green" "$plain" "$*"; }
not_ok() { printf '  %sFAIL%s %s\n' "$red" "$plain" "$*"; }
warn() { printf '  %swarn%s %s\n' "$yellow" "$plain" "$*"; }

# progress DONE ALL WORDS...
progress() {
    done=$1 all=$2
    shift 2
    printf '::progress %s %s\n' "$(awk "BEGIN { printf \"%.2f\", $done / $all }")" "$*"
}
