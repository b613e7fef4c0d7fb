#!/bin/sh
# A streaming prompt with curl: sh docs/examples/stream.sh http://localhost:8000
set -eu
url=${1:-http://localhost:8000}/v1/stream

# JSON on stdin, the answer on stdout; an HTTP error ends the script with the server's message.
post() {
    key="Authorization: Bearer ${VLLM_API_KEY:-}"
    if answer=$(curl --silent --show-error --fail-with-body --header "$key" --data @- "$1"); then
        printf '%s\n' "$answer"
    else
        printf '%s\n' "$answer" >&2
        return 1
    fi
}

opened=$(echo '{"prompt": "A page. ", "max_tokens": 16, "temperature": 0}' | post "$url")
id=$(echo "$opened" | sed 's/.*"id":"\([^"]*\)".*/\1/')
echo '{"type": "append", "prompt": "Another page. "}' | post "$url/$id" >/dev/null
echo '{"type": "update", "prompt": "A better page. Another page. "}' | post "$url/$id" >/dev/null
echo '{"prompt": "What do they say?", "final": true}' | post "$url/$id"
