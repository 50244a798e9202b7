#!/usr/bin/env bash
# Ask a model behind TF Serving for a WAV file with curl alone: examples/ask_server.sh song.wav [MODEL] [HOST:PORT]
set -euo pipefail
song=${1:?a WAV file} model=${2:-small-cnn} server=${3:-localhost:8501}

curl -fsS "http://$server/v1/models/$model" | grep -q '"state": *"AVAILABLE"' || {
  echo "$server: $model is not available yet" >&2
  exit 1
}
(printf '{"signature_name": "audio", "inputs": {"audio": [{"b64": "'; base64 -w0 "$song"; printf '"}]}}') |
  curl -fsSd @- "http://$server/v1/models/$model:predict"
