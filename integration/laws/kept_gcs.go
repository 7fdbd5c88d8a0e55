package laws

import (
	"net/http"
	"time"
)

// kept counts the bytes of what a call deletes or replaces and the store goes on to bill.
// Sources that a compose request deletes are exempt from all of it.
// https://cloud.google.com/storage/docs/composing-objects
func kept(billed func(c call, v victim) bool) func(rule) enforcement {
	return func(r rule) enforcement {
		return func(w http.ResponseWriter, c call, next handler) {
			gone := r.victims(c)
			if !succeeds(w, c, next) {
				return
			}
			for _, v := range gone {
				if !v.composed && billed(c, v) {
					r.account(v.Size)
				}
			}
		}
	}
}

// softDeleted is for all that is deleted or replaced.
func softDeleted(call, victim) bool { return true }

// noncurrent is for what becomes an older version: all but a version that a call names.
func noncurrent(c call, _ victim) bool { return !c.URL.Query().Has("generation") }

// early is for what is younger than the minimum storage duration of its class.
func early(_ call, v victim) bool { return time.Since(v.TimeCreated) < minimumDuration(v.StorageClass) }

// minimumDuration is for how long an object is billed at least.
// https://cloud.google.com/storage/docs/storage-classes
func minimumDuration(class string) time.Duration {
	const day = 24 * time.Hour
	switch class {
	case "NEARLINE":
		return 30 * day
	case "COLDLINE":
		return 90 * day
	case "ARCHIVE":
		return 365 * day
	}
	return 0
}
