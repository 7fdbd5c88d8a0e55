package laws

// s3Laws are the laws of Amazon S3 and of the stores that speak its protocol.
func s3Laws() []Law {
	return []Law{
		{
			Store: StoreS3, Name: "part-order", Sets: []string{"aws"},
			Rule:    "when parts carry checksums, part numbers at completion are consecutive from 1",
			Source:  "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html",
			Test:    "TestLaws/part-order",
			enforce: partOrder,
		},
	}
}
