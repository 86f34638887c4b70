module portwatch

go 1.17
