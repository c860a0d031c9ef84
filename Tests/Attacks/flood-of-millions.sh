# shellcheck shell=bash disable=SC2154,SC1091,SC2034
# 4,000,000 tuples of one pod, through the uplink, while another pod calls
WEIR_ATTACK_TUPLES=4000000
source "$attacks/flood.sh"
