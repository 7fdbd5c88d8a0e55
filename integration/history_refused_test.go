package integration_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// told is an operation that lasts from one millisecond to another and is answered. 404 finds
// nothing.
func told(op operation, process, from, to, status int, value string) event {
	found := status < http.StatusNotFound
	if !found && op != opDeleteDigest {
		value = absent
	}
	return event{process: process, op: op, began: millis(from), ended: millis(to), status: status, value: value, found: found}
}

// untold is one without an answer.
func untold(op operation, process, from, to int, value string) event {
	return event{process: process, op: op, began: millis(from), ended: millis(to), value: value}
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// TestHistoriesRefused has the checker refuse histories that no promise allows, and pass those
// that one does.
func TestHistoriesRefused(t *testing.T) {
	const v1, v2 = "sha256:1111111111111111", "sha256:2222222222222222"
	const put, get, head, del, delDigest = opPut, opRead, opHead, opDelete, opDeleteDigest
	const ttl = 1000 // ms
	during := func(ms int) []lostReply { return []lostReply{{process: 1, at: millis(ms)}} }
	tag := []registerKind{tagRegister}
	entities := []registerKind{manifestRegister, blobRegister}
	all := slices.Concat(tag, entities)
	for _, tt := range []struct {
		name   string
		kinds  []registerKind
		events []event
		lost   []lostReply
		want   porcupine.CheckResult
	}{
		{"an old tag", tag, []event{told(put, 1, 0, 10, 201, v1), told(put, 1, 20, 30, 201, v2), told(get, 2, 40, 50, 200, v1)}, nil, porcupine.Illegal},
		{"an old tag, which the replica has found", tag, []event{told(put, 1, 0, 10, 201, v1), told(get, 2, 11, 12, 200, v1), told(put, 1, 20, 30, 201, v2), told(get, 2, 40, 50, 200, v1)}, nil, porcupine.Illegal},
		{"an acknowledged PUT is lost", all, []event{told(put, 1, 0, 10, 201, there), told(get, 2, 20, 30, 404, "")}, nil, porcupine.Illegal},
		{"the same by HEAD", all, []event{told(put, 1, 0, 10, 201, there), told(head, 2, 20, 30, 404, "")}, nil, porcupine.Illegal},
		{"a tag is lost as its old manifest is deleted", tag, []event{
			told(put, 1, 0, 10, 201, v1), told(delDigest, 1, 20, 70, 202, v1), told(put, 2, 30, 60, 201, v2), told(get, 3, 80, 90, 404, ""),
		}, nil, porcupine.Illegal},
		{"what was deleted is back", all, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(head, 3, 40, 50, 404, ""), told(head, 3, 60, 70, 200, there)}, nil, porcupine.Illegal},
		{"what was deleted is there", all, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(head, 1, 40, 50, 200, there)}, nil, porcupine.Illegal},
		{"two deletions of one manifest", entities, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(del, 3, 40, 50, 202, there)}, nil, porcupine.Illegal},
		{"at the same time", all, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 50, 202, there), told(del, 3, 30, 60, 202, there)}, nil, porcupine.Ok},

		{"from the cache", entities, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(get, 1, 40, 50, 200, there)}, nil, porcupine.Ok},
		{"from the cache to the last moment", entities, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(get, 1, ttl+10, ttl+20, 200, there)}, nil, porcupine.Ok},
		{"from the cache too late", entities, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(get, 1, ttl+11, ttl+20, 200, there)}, nil, porcupine.Illegal},
		{"from the cache of a replica that had not found it", entities, []event{told(put, 1, 0, 10, 201, there), told(del, 2, 20, 30, 202, there), told(get, 3, 40, 50, 200, there)}, nil, porcupine.Illegal},
		{"from the cache of the replica that deleted it", entities, []event{told(put, 1, 0, 10, 201, there), told(del, 1, 20, 30, 202, there), told(get, 1, 40, 50, 200, there)}, nil, porcupine.Illegal},
		{"a 404 from a cache", entities, []event{told(get, 2, 0, 10, 404, ""), told(put, 1, 20, 30, 201, there), told(get, 2, 40, 50, 404, "")}, nil, porcupine.Illegal},

		{"a PUT without an answer takes effect late", all, []event{untold(put, 1, 0, 10, there), told(head, 2, 20, 30, 404, ""), told(head, 2, 40, 50, 200, there)}, nil, porcupine.Ok},
		{"or never", all, []event{untold(put, 1, 0, 10, there), told(head, 2, 20, 30, 404, "")}, nil, porcupine.Ok},
		{"but not for a while", all, []event{untold(put, 1, 0, 10, there), told(head, 2, 20, 30, 200, there), told(head, 2, 40, 50, 404, "")}, nil, porcupine.Illegal},
		{"a deletion without an answer", all, []event{told(put, 1, 0, 10, 201, there), untold(del, 1, 20, 30, there), told(head, 2, 40, 50, 200, there), told(head, 2, 60, 70, 404, "")}, nil, porcupine.Ok},
		{"what nobody has put", all, []event{told(head, 1, 0, 10, 200, there)}, nil, porcupine.Illegal},

		{"a PUT that takes effect twice", tag, []event{
			told(put, 1, 0, 90, 201, v1), told(get, 3, 10, 20, 200, v1), told(put, 2, 30, 40, 201, v2), told(get, 3, 50, 60, 200, v2), told(get, 3, 70, 80, 200, v1),
		}, nil, porcupine.Illegal},
		{"the same as a reply was lost", tag, []event{
			told(put, 1, 0, 90, 201, v1), told(get, 3, 10, 20, 200, v1), told(put, 2, 30, 40, 201, v2), told(get, 3, 50, 60, 200, v2), told(get, 3, 70, 80, 200, v1),
		}, during(5), porcupine.Ok},
		{"the same after it was answered", tag, []event{
			told(put, 1, 0, 35, 201, v1), told(get, 3, 10, 20, 200, v1), told(put, 2, 30, 40, 201, v2), told(get, 3, 50, 60, 200, v2), told(get, 3, 70, 80, 200, v1),
		}, during(5), porcupine.Illegal},
	} {
		for _, kind := range tt.kinds {
			events := slices.Clone(tt.events)
			for i := range events {
				events[i].kind = kind
			}
			result, _ := porcupine.CheckOperationsVerbose(register, stepsOf(events, tt.lost, millis(ttl)), time.Minute)
			if result != tt.want {
				t.Errorf("%s: %s: %s, want %s\n%s", kind, strings.TrimSpace(tt.name), result, tt.want, listed(events))
			}
		}
	}
}
