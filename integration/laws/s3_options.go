package laws

// S3Options are what the documents of S3 and its compatible stores leave open.
type S3Options struct {
	KeyRate KeyRate // writes to one key, on R2
}
