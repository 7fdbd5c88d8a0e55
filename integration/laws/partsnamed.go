package laws

import (
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// partsAllNamed refuses completions that leave out a part.
func partsAllNamed(r rule) enforcement {
	return r.onCompletion(func(w http.ResponseWriter, c call, named completion, uploaded []types.Part, next handler) {
		for _, p := range uploaded {
			n := int(aws.ToInt32(p.PartNumber))
			if !slices.ContainsFunc(named.Part, func(p completedPart) bool { return p.PartNumber == n }) {
				r.refuseS3(w, c, http.StatusBadRequest, "InvalidPart", "an uploaded part is not named")
				return
			}
		}
		next(w, c)
	})
}

// equalParts refuses completions with parts of several sizes. Only the last part may be
// smaller.
func equalParts(r rule) enforcement {
	return r.onCompletion(func(w http.ResponseWriter, c call, named completion, uploaded []types.Part, next handler) {
		sizes := make(map[int]int64)
		for _, p := range uploaded {
			sizes[int(aws.ToInt32(p.PartNumber))] = aws.ToInt64(p.Size)
		}
		for i, p := range named.Part {
			size, first := sizes[p.PartNumber], sizes[named.Part[0].PartNumber]
			if size > first || size < first && i < len(named.Part)-1 {
				r.refuseS3(w, c, http.StatusBadRequest, "InvalidPart", "All non-trailing parts must have the same length.")
				return
			}
		}
		next(w, c)
	})
}

// onCompletion compares what a completion names with what was uploaded. A list or an
// upload that the store can't read is the store's to refuse.
func (e rule) onCompletion(judge func(w http.ResponseWriter, c call, named completion, uploaded []types.Part, next handler)) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		if c.op != "CompleteMultipartUpload" {
			next(w, c)
			return
		}
		named, err := completionOf(c)
		if err != nil {
			next(w, c)
			return
		}
		uploaded, err := e.partsS3(c)
		if err != nil {
			next(w, c)
			return
		}
		judge(w, c, named, uploaded, next)
	}
}
