#!/bin/bash
# sbatch results/nightly/examples/slurm.sh, in the checkout, after `make setup` in it; it puts itself in the queue for
# the next night. A job that was preempted or ran out of time goes on with its night when it is queued again.
#SBATCH --job-name=emodose-nightly
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=results/nights/slurm-%j.txt
# For a model on a GPU: #SBATCH --gres=gpu:1

export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK" HF_HUB_OFFLINE=1
[ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] || sbatch --begin=tomorrow results/nightly/examples/slurm.sh
srun .venv/bin/emodose nightly results/nightly/examples/organism.yaml --night "job-$SLURM_JOB_ID"
