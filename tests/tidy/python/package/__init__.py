from package.a import b
