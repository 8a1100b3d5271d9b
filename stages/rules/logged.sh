# logged LOG PROGRAM ...: runs a program with its messages in LOG, and notes its exit status for the process of
# Snakemake that decides whether the job is tried again (ritzflow/sweep/exits.py). A job that was killed leaves a start alone.
logged() {
  local log=$1 note=.snakemake/ritzflow/exits/$1 status=0
  shift
  [ -d "${note%/*}" ] || mkdir -p "${note%/*}"
  echo start >> "$note"
  trap : TERM INT USR1 # the program ends with a checkpoint: wait for it
  "$@" 2> "$log" || status=$?
  echo $status >> "$note"
  return $status
}
