package laws

// GCSOptions are what the documents of Google Cloud Storage leave open.
type GCSOptions struct {
	KeyRate KeyRate // changes of one object name
}
