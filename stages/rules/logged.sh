# logged LOG PROGRAM ...: runs a program with its messages in LOG, and notes its exit status for the process of
# Snakemake that decides whether the job is tried again (ritzflow/sweep/exits.py). A job that was killed leaves a start alone.
logged() {
  local log=$1 note=.snakemake/ritzflow/exits/$1 status=0 signalled=
  shift
  [ -d "${note%/*}" ] || mkdir -p "${note%/*}"
  echo start >> "$note"
  trap 'signalled=yes' TERM INT USR1 # the program ends with a checkpoint: wait for it
  "$@" 2> "$log" || status=$?
  # By a second signal, which scancel and srun may send at once, it ends with 1: killed.
  [ "$signalled$status" = yes1 ] || echo $status >> "$note"
  return $status
}
