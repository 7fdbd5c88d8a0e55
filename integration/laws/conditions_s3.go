package laws

import (
	"net/http"
	"strings"
)

// copyConditions enforces conditions on a copy's destination.
func copyConditions(r rule) enforcement {
	return r.enforceConditions(func(c call) (ifMatch, ifNoneMatch string) {
		if c.op != "CopyObject" {
			return "", ""
		}
		return c.Header.Get("If-Match"), c.Header.Get("If-None-Match")
	})
}

// copyOwnConditions enforces those that have headers of R2's own. The store ignores the
// ordinary ones.
func copyOwnConditions(r rule) enforcement {
	return r.enforceConditions(func(c call) (ifMatch, ifNoneMatch string) {
		if c.op != "CopyObject" {
			return "", ""
		}
		return c.Header.Get("Cf-Copy-Destination-If-Match"), c.Header.Get("Cf-Copy-Destination-If-None-Match")
	})
}

// deleteIfMatch enforces conditions on a delete. In a batch they are refused: the proxy
// can't enforce them, and must not ignore them.
func deleteIfMatch(r rule) enforcement {
	enforce := r.enforceConditions(func(c call) (ifMatch, ifNoneMatch string) {
		if c.op != "DeleteObject" {
			return "", ""
		}
		return c.Header.Get("If-Match"), ""
	})
	return func(w http.ResponseWriter, c call, next handler) {
		removed, ok := r.removals(w, c)
		if !ok {
			return
		}
		for _, o := range removed {
			if o.ETag != "" {
				r.refuseS3(w, c, http.StatusNotImplemented, "NotImplemented", "the proxy knows no conditions in batches")
				return
			}
		}
		enforce(w, c, next)
	}
}

// enforceConditions stands in for a store that ignores some conditions. The look at the
// object and the write behind it are one: no other write of the key comes between.
func (e rule) enforceConditions(of func(call) (ifMatch, ifNoneMatch string)) enforcement {
	underWay := newWritesUnderWay()
	return func(w http.ResponseWriter, c call, next handler) {
		ifMatch, ifNoneMatch := of(c)
		switch {
		case ifMatch != "" || ifNoneMatch != "":
			leave, ok := underWay.enterAlone(c.object())
			if !ok {
				e.conflict(w, c)
				return
			}
			defer leave()
			v, err := e.judge(c, ifMatch, ifNoneMatch)
			if err != nil {
				brokenS3(w, c, err)
				return
			}
			if v.code != "" {
				e.refuseS3(w, c, v.status, v.code, v.message)
				return
			}
		case writesS3(c):
			_, leave := underWay.enter(c.object())
			defer leave()
		}
		next(w, c)
	}
}

// judge compares conditions with the object at c's key.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (e rule) judge(c call, ifMatch, ifNoneMatch string) (verdict, error) {
	current, err := e.headS3(c.Context(), c.bucket, c.key)
	if err != nil {
		return verdict{}, err
	}
	unmet := verdict{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	switch {
	case ifNoneMatch != "" && ifNoneMatch != "*":
		return verdict{http.StatusNotImplemented, "NotImplemented", "If-None-Match takes * only"}, nil
	case ifNoneMatch != "" && current != nil:
		return unmet, nil
	case ifMatch == "":
	case current == nil && !e.bucketS3(c.Context(), c.bucket): // the store's to refuse
	case current == nil && c.op == "DeleteObject" && e.options.S3.DeleteAbsentUnmet:
		return unmet, nil
	case current == nil:
		return verdict{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}, nil
	case ifMatch != "*" && strings.Trim(ifMatch, `"`) != strings.Trim(*current.ETag, `"`):
		return unmet, nil
	}
	return verdict{}, nil
}
