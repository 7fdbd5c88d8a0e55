package laws

import "net/http"

// conditionalConflict refuses conditional writes that arrive while another write or a
// delete of the key is under way.
func conditionalConflict(r rule) enforcement {
	underWay := newWritesUnderWay()
	return func(w http.ResponseWriter, c call, next handler) {
		removed, ok := r.removals(w, c)
		if !ok {
			return
		}
		for _, o := range removed {
			if c.op == "DeleteObjects" {
				_, leave := underWay.enter(c.bucket + "/" + o.Key)
				defer leave()
			}
		}
		if writesS3(c) {
			others, leave := underWay.enter(c.object())
			defer leave()
			if others > 0 && conditionalS3(c) {
				r.conflict(w, c)
				return
			}
		}
		next(w, c)
	}
}

// conditionalConflictFault answers as if another write had been under way.
func conditionalConflictFault(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if conditionalS3(c) && r.strikes(c) {
			r.conflict(w, c)
			return
		}
		next(w, c)
	}
}

func (e rule) conflict(w http.ResponseWriter, c call) {
	e.refuseS3(w, c, http.StatusConflict, "ConditionalRequestConflict", "a conflicting operation on the key occurred")
}
